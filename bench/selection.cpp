// How much slower than the best the automatic choice is. For each problem and number of threads: every variant that is
// no 20 times slower by estimate races, in every tiling; the three fastest are measured again for the best of them;
// then the choice and the best take turns, and regret is the median of their ratios, pair by pair: neither what won by
// luck nor what disturbs a machine for a while is the yardstick. Untuned, then after tune().
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <attune/attune.hpp>

#include "bench/selection_table.hpp"
#include "engine/builtins.hpp"
#include "engine/tuning/race.hpp"

namespace {

using namespace attune;
using namespace attune::detail;
using bench::SelectionProblem;

struct Wish {
  std::string filter;
  double seconds = 0.3;  // to find the best variant of a row, beside ten calls of the untuned choice
  double budget = TuneOptions{}.budget_seconds;
  bool tune = true;
  bool overhead = true;
};

/// Rows whose regret exceeds this are printed with a mark.
constexpr double untuned_limit = 1.25, tuned_limit = 1.05;

constexpr int rounds = 15;

using Runners = std::vector<std::unique_ptr<Runner>>;

struct Summary {
  double worst = 0, logs = 0;
  int rows = 0, above = 0;

  void add(double regret, double limit) {
    worst = std::max(worst, regret);
    logs += std::log(regret);
    ++rows;
    above += regret > limit ? 1 : 0;
  }
  void print(const char* what, double limit) const {
    std::printf("%-8s %d rows: worst %.3f, geometric mean %.4f, %d above %.2f\n", what, rows, worst,
                rows == 0 ? 1 : std::exp(logs / rows), above, limit);
  }
};

class Judge {
 public:
  explicit Judge(const Wish& wish) : wish_(wish), machines_(Machine::detect()) {
    for (auto& backend : make_builtins()) registry_ = with_backend(registry_, std::move(backend), true);
  }

  void judge(const SelectionProblem& row, int threads) {
    const std::shared_ptr<Executor> executor = make_executor(threads);
    const SampleCall call(row.problem, row.extents);
    const Request request{.problem = row.problem, .extents = row.extents, .threads = threads};
    const Runners runners = runners_of(request, call, *executor);
    Runner& best = find_best(runners);
    Runner& untuned = *runners.front();
    const double regret = regret_of(untuned, best);
    untuned_.add(regret, untuned_limit);
    std::printf("%-22s %2d  %9.1f us  best %-36s untuned %-30s %.3f%s", row.name.c_str(), threads,
                1e6 * best.series.median(), to_text(best.candidate().variant()).c_str(),
                to_text(untuned.candidate().variant()).c_str(), regret, regret > untuned_limit ? " (!)" : "");
    if (wish_.tune) judge_tuned(row, *executor, runners, best);
    std::printf("\n");
    std::fflush(stdout);
  }

  void print() const {
    untuned_.print("untuned", untuned_limit);
    if (wish_.tune) tuned_.print("tuned", tuned_limit);
  }

 private:
  /// The untuned choice first.
  Runners runners_of(const Request& request, const SampleCall& call, Executor& executor) const {
    Runners result;
    const std::vector<TuneCandidate> candidates = candidates_of(registry_, machines_, request);
    for (TuneCandidate candidate : candidates) {
      if (candidate.estimate(request) > 20 * candidates.front().estimate(request)) continue;
      if (add(result, candidate, call, executor) > 2 * result.front()->series.median()) continue;
      for (const std::string_view tiling : candidate.entry->backend->tilings()) {
        candidate.tiling = tiling;
        add(result, candidate, call, executor);
      }
    }
    return result;
  }

  static double add(Runners& runners, const TuneCandidate& candidate, const SampleCall& call, Executor& executor) {
    Runner& runner = *runners.emplace_back(std::make_unique<Runner>(candidate, call, executor));
    runner.run();
    runner.run();
    runner.sample();
    return runner.series.median();
  }

  Runner& find_best(const Runners& runners) const {
    TuneOptions options;
    options.budget_seconds = wish_.seconds + 10 * runners.front()->series.median();
    Budget budget(options);
    std::vector<Runner*> racers;
    for (const auto& runner : runners) racers.push_back(runner.get());
    race(racers, budget, 1000);
    std::erase_if(racers, [](const Runner* runner) { return !runner->out.empty(); });
    sort(racers);
    if (racers.size() > 3) racers.resize(3);
    for (Runner* runner : racers) runner->series = {};
    for (int round = 0; round < rounds; ++round) {
      for (Runner* runner : racers) runner->sample();
    }
    sort(racers);
    return *racers.front();
  }

  static void sort(std::vector<Runner*>& runners) {
    std::sort(runners.begin(), runners.end(),
              [](const Runner* a, const Runner* b) { return a->series.median() < b->series.median(); });
  }

  static double regret_of(Runner& choice, Runner& best) {
    if (&choice == &best) return 1;
    Series ratios;
    for (int pair = 0; pair < rounds; ++pair) {
      const double before = pair % 2 == 0 ? best.timed() : 0;
      const double own = choice.timed();
      ratios.add(own / (pair % 2 == 0 ? before : best.timed()));
    }
    return ratios.median();
  }

  void judge_tuned(const SelectionProblem& row, Executor& executor, const Runners& runners, Runner& best) {
    Engine::Config config;
    config.executor = std::shared_ptr<Executor>(&executor, [](Executor*) {});
    Engine engine(config);
    TuneOptions options;
    options.budget_seconds = wish_.budget;
    const TuneResult result = engine.tune(row.problem, row.extents, options);
    for (const auto& runner : runners) {
      if (runner->candidate().variant() != result.winner) continue;
      const double regret = regret_of(*runner, best);
      tuned_.add(regret, tuned_limit);
      std::printf("  tuned %-36s %.3f%s", to_text(result.winner).c_str(), regret, regret > tuned_limit ? " (!)" : "");
    }
  }

  const Wish& wish_;
  const Machines machines_;
  Registry registry_;
  Summary untuned_, tuned_;
};

double median_seconds(int calls, auto&& f) {
  Series series;
  for (int sample = 0; sample < 41; ++sample) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) f();
    series.add(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / calls);
  }
  return series.median();
}

/// What choosing costs: a call of attention() beside the chosen plan, bound and run by hand.
void print_overhead(bool with_wisdom) {
  Engine engine{Engine::Config{}};
  Problem problem;
  problem.head_dim = problem.value_dim = 64;
  const Extents extents = Extents::padded(1, 1, 16);
  const SampleCall call(problem, extents);
  InlineExecutor executor;
  if (with_wisdom) engine.tune(problem, extents, {.threads = 1, .budget_seconds = 0.2, .progress = {}});
  const auto plan = engine.plan(problem, extents, 1);
  const Call bound = plan->bind(call.tensors(), call.options());
  const Workspace workspace(std::max(workspace_alignment, bound.workspace_bytes(1)));
  const auto automatic = [&] { engine.attention(call.tensors(), call.options(), &executor); };
  const auto by_hand = [&] { plan->bind(call.tensors(), call.options()).run(workspace.bytes(), executor); };
  const auto kernel = [&] { bound.run(workspace.bytes(), executor); };
  const double total = median_seconds(2000, automatic), direct = median_seconds(2000, by_hand),
               alone = median_seconds(2000, kernel);
  std::printf(
      "overhead%s: attention() %.3f us, plan bound and run %.3f us, run alone %.3f us: choosing costs %.3f us, "
      "all before the kernel %.3f us\n",
      with_wisdom ? " with wisdom" : "", 1e6 * total, 1e6 * direct, 1e6 * alone, 1e6 * (total - direct),
      1e6 * (total - alone));
}

bool parse(int argc, char** argv, Wish& wish) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&](const char* option) {
      return word.rfind(option, 0) == 0 ? argv[i] + std::strlen(option) : nullptr;
    };
    if (const char* filter = value("--filter=")) {
      wish.filter = filter;
    } else if (const char* seconds = value("--seconds=")) {
      wish.seconds = std::atof(seconds);
    } else if (const char* budget = value("--budget=")) {
      wish.budget = std::atof(budget);
    } else if (word == "--no-tune") {
      wish.tune = false;
    } else if (word == "--no-overhead") {
      wish.overhead = false;
    } else {
      std::fprintf(stderr,
                   "Usage: attune_selection [--filter=TEXT] [--seconds=X] [--budget=X] [--no-tune] [--no-overhead]\n");
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  if (!parse(argc, argv, wish)) return 2;
  if (wish.overhead) {
    print_overhead(false);
    print_overhead(true);
  }
  Judge judge(wish);
  for (const SelectionProblem& row : bench::selection_problems()) {
    if (row.name.find(wish.filter) == std::string::npos) continue;
    for (int threads = 1; threads <= available_cores(); threads *= 2) judge.judge(row, threads);
  }
  judge.print();
  return 0;
}
