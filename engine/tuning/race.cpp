#include "engine/tuning/race.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace attune::detail {
namespace {

/// Long enough that a clock's step and the call of a clock do not matter.
constexpr double shortest_sample = 2e-4;
constexpr int most_runs = 10'000;

Call bound(const TuneCandidate& candidate, const SampleCall& call) {
  const Description description = describe(call.tensors(), call.options());
  const std::shared_ptr<const Plan> plan = candidate.entry->backend->plan(description.problem, *candidate.machine);
  if (!plan) throw Error(ErrorCode::backend_failed, std::string(candidate.entry->name()) + ": made no plan");
  return plan->bind(call.tensors(), call.options());
}

std::string slower(double ratio) {
  char text[48];
  if (ratio < 2) {
    std::snprintf(text, sizeof text, "%.0f %% slower", 100 * (ratio - 1));
  } else {
    std::snprintf(text, sizeof text, "%.3g times slower", ratio);
  }
  return text;
}

const Runner& fastest(const std::vector<Runner*>& runners) {
  return **std::min_element(runners.begin(), runners.end(),
                            [](const Runner* a, const Runner* b) { return a->series.median() < b->series.median(); });
}

/// Who takes twice as long each time is out soon, by the smallest sample: a single one may have been disturbed.
bool is_out(const Runner& runner, const Runner& best) {
  if (runner.series.size() < 2) return false;
  if (runner.series.smallest() > 2 * best.series.median()) return true;
  return runner.series.size() >= fewest_rounds && beats(best.series, runner.series) &&
         runner.series.median() > 1.1 * best.series.median();
}

/// Are all as good as equal, or clearly apart? Then more samples would change nothing.
bool is_clear(const std::vector<Runner*>& runners) {
  const Runner& best = fastest(runners);
  return std::all_of(runners.begin(), runners.end(), [&](const Runner* runner) {
    if (runner == &best) return true;
    const double difference = std::abs(runner->series.median() - best.series.median());
    const double noise = std::hypot(runner->series.noise(), best.series.noise());
    return std::abs(difference - 0.03 * runner->series.median()) > 2 * noise;
  });
}

}  // namespace

Runner::Runner(const TuneCandidate& candidate, const SampleCall& call, Executor& executor)
    : candidate_(candidate),
      executor_(executor, candidate.threads),
      call_(bound(candidate, call)),
      workspace_(std::max<std::size_t>(workspace_alignment, call_.workspace_bytes(executor_.num_threads()))) {}

double Runner::run() {
  const auto start = std::chrono::steady_clock::now();
  const Status status = call_.run(workspace_.bytes(), executor_);
  const auto end = std::chrono::steady_clock::now();
  if (status != Status::ok) throw Error(ErrorCode::backend_failed, "it could not finish");
  const double seconds = std::chrono::duration<double>(end - start).count();
  runs_ = static_cast<int>(std::clamp(std::ceil(shortest_sample / std::max(seconds, 1e-9)), 1.0, double{most_runs}));
  return seconds;
}

double Runner::timed_runs() {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < runs_; ++i) call_.run(workspace_.bytes(), executor_);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / runs_;
}

bool Budget::goes_on(const std::string& doing) {
  if (options_.progress && !options_.progress({doing, elapsed(), options_.budget_seconds})) stopped_ = true;
  return !stopped_ && elapsed() < share_ * options_.budget_seconds;
}

bool race(std::vector<Runner*> runners, const Runner& holder, Budget& budget, int most_rounds) {
  for (int round = 0; round < most_rounds && !runners.empty(); ++round) {
    // In another order each time: what one leaves in the caches, or heats up, another pays for.
    std::rotate(runners.begin(), runners.begin() + 1, runners.end());
    for (Runner* runner : runners) {
      if (!budget.goes_on(to_text(runner->candidate().variant()))) return round >= fewest_rounds;
      runner->sample();
    }
    const Runner& best = fastest(runners);
    std::erase_if(runners, [&](Runner* runner) {
      if (runner == &best || runner == &holder || !is_out(*runner, best)) return false;
      runner->out = slower(runner->series.median() / best.series.median());
      return true;
    });
    if (round + 1 >= fewest_rounds && is_clear(runners)) return true;
  }
  return true;
}

}  // namespace attune::detail
