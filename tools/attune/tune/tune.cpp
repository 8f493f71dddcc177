#include "tools/attune/tune/tune.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tools/attune/numbers.hpp"
#include "tools/attune/plugin/load.hpp"
#include "tools/attune/terminal.hpp"
#include "tools/attune/tune/problems.hpp"
#include "tools/attune/tune/report.hpp"

namespace attune::tool {
namespace {

constexpr const char* footer =
    R"(Each problem is run with made-up tensors by every variant that takes it (backend, instruction set, number of threads;
the fastest also in other tilings), in turn, until the order is clear or the budget is spent. What would be chosen
anyway stays unless another variant is faster by more than 3 % and more than noise, twice, measured right beside it, and
agrees with the definition on sampled rows. What was learned is
kept for this machine (see attune wisdom) and used by every program that calls Attune from then on. Ctrl-C stops and
keeps what was measured until then.

A list is a JSON array of objects named as the options: [{"q": "1,12,512,64", "k": "1,12,512,64", "causal": true}]

Examples:
  attune tune --q 1,12,512,64 --k 1,12,512,64 --causal
  attune tune --set bert --set gpt-decode --budget 2
  attune tune --list problems.json --json
  attune tune --q 1,32,1,128 --k 1,8,4096,128 --backend tiled    only among the variants of one backend)";

struct TuneFlags : ProblemFlags {
  std::vector<std::string> sets;
  std::optional<std::string> list;
  std::string budget = "3";
  bool json = false;
};

/// What the command line forces holds for every problem.
void force(ProblemFlags& problem, const TuneFlags& flags) {
  problem.backend = flags.backend;
  problem.isa = flags.isa;
  problem.threads = flags.threads;
  problem.reproducible = flags.reproducible;
}

std::vector<ProblemFlags> problems_of(const TuneFlags& flags) {
  std::vector<ProblemFlags> problems;
  const auto take = [&problems](std::vector<ProblemFlags> more) {
    std::move(more.begin(), more.end(), std::back_inserter(problems));
  };
  if (!flags.query.empty() || !flags.key.empty()) {
    if (flags.query.empty()) throw Error(ErrorCode::invalid_argument, "--q: is missing beside --k");
    if (flags.key.empty()) throw Error(ErrorCode::invalid_argument, "--k: is missing beside --q");
    problems.push_back(flags);
  }
  for (const std::string& set : flags.sets) take(named_set(set));
  if (flags.list) take(read_problems(*flags.list));
  if (problems.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "nothing to tune: give --q and --k, --set (" + set_names() + ") or --list");
  }
  for (ProblemFlags& problem : problems) force(problem, flags);
  return problems;
}

std::string pinned(const ProblemFlags& flags) {
  std::string words;
  const auto add = [&words](bool forced, const std::string& what) {
    if (forced) words += (words.empty() ? "" : ", ") + what;
  };
  add(flags.backend.has_value(), "backend " + flags.backend.value_or(""));
  add(flags.isa.has_value(), "isa " + flags.isa.value_or(""));
  add(flags.reproducible, "reproducible");
  return words;
}

class Session {
 public:
  explicit Session(const TuneFlags& flags)
      : flags_(flags), budget_(parse_real("--budget", flags.budget)), problems_(problems_of(flags)) {
    if (!(budget_ > 0)) throw Error(ErrorCode::invalid_argument, "--budget: must be more than 0 seconds");
    for (const ProblemFlags& problem : problems_) calls_.push_back(describe(problem));
    load_plugins(engine_);
  }

  void run() {
    {
      const Interruptible interruptible;
      Progress progress;
      for (std::size_t i = 0; i < problems_.size() && !Interruptible::asked_to_stop(); ++i) tune(i, progress);
      interrupted_ = Interruptible::asked_to_stop();
    }
    if (flags_.json) {
      print_tuned_json(engine_, tuned_, interrupted_);
    } else {
      print_end();
    }
  }

 private:
  void tune(std::size_t i, Progress& progress) {
    const double count = static_cast<double>(problems_.size());
    TuneOptions options;
    options.threads = threads_of(problems_[i]).value_or(0);
    options.budget_seconds = budget_;
    options.progress = [&](const TuneProgress& now) {
      const double share = std::min(1.0, now.elapsed_seconds / now.budget_seconds);
      const double done = static_cast<double>(i) + share;
      progress.show(done / count, (count - done) * budget_, now.doing);
      return !Interruptible::asked_to_stop();
    };
    const auto& [problem, extents] = calls_[i];
    TuneResult result = engine_.tune(problem, extents, options, selection_of(problems_[i]));
    progress.clear();
    note(result.note);
    tuned_.push_back({to_text(problem, extents), pinned(problems_[i]), std::move(result)});
    if (!flags_.json) print_tuned(tuned_.back());
  }

  /// Each thing that went wrong is told once, however many problems there are.
  void note(const std::string& words) {
    if (words.empty() || words == last_note_) return;
    fmt::print(stderr, "attune: {}\n", words);
    last_note_ = words;
  }

  void print_end() const {
    if (interrupted_) fmt::print("Stopped after {} of {} problems.\n", tuned_.size(), problems_.size());
    const bool learned =
        std::any_of(tuned_.begin(), tuned_.end(), [](const Tuned& tuned) { return tuned.result.learned; });
    if (learned && last_note_.empty()) fmt::print("Remembered in {}\n", engine_.wisdom_file());
    if (!learned) fmt::print("Nothing was learned.\n");
  }

  const TuneFlags& flags_;
  const double budget_;
  const std::vector<ProblemFlags> problems_;
  std::vector<Description> calls_;
  Engine engine_;
  std::vector<Tuned> tuned_;
  std::string last_note_;
  bool interrupted_ = false;
};

}  // namespace

void add_tune(CLI::App& program) {
  auto flags = std::make_shared<TuneFlags>();
  CLI::App* command = program.add_subcommand("tune", "Measure which variant is the fastest, and remember it");
  declare(*command, *flags);
  command->add_option("--set", flags->sets, "A named set of problems, or several: " + set_names())->type_name("NAME");
  command->add_option("--list", flags->list, "A list of problems in JSON")->type_name("FILE");
  command->add_option("--budget", flags->budget, "Seconds to measure each problem at most")
      ->type_name("X")
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print the facts as JSON");
  command->footer(footer);
  command->callback([flags] { Session(*flags).run(); });
}

}  // namespace attune::tool
