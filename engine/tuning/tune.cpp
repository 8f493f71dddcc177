// Engine::tune. The candidates race, and who is faster there than what would be chosen anyway meets it in two duels.
// Who wins both by more than 3 % and more than noise, and agrees with the definition on sampled rows, takes its place.
// In doubt nothing changes: what is chosen without wisdom is never replaced by something slower.
#include <algorithm>
#include <chrono>
#include <list>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "engine/complaint.hpp"
#include "engine/engine_state.hpp"
#include "engine/tuning/duel.hpp"
#include "engine/tuning/race.hpp"
#include "engine/tuning/row_check.hpp"

namespace attune {

using namespace detail;

namespace {

/// Of the budget, spent when each of these ends; the rest is for the duels.
constexpr double end_of_race = 0.4, end_of_tilings = 0.55;
constexpr double share_of_duel = 0.4;  // of what is left
constexpr int most_rounds = 40, most_pairs = 100;
constexpr std::size_t most_challengers = 3;
constexpr std::size_t most_tiled_again = 2;  // of the leaders, in other tilings
constexpr std::size_t most_kept_measurements = 32;
constexpr double hopeless = 20;  // times slower, by estimate of a built-in or by its first run

constexpr double is_a_sample = 1e-3;  // seconds: a run of this length tells as much as a sample does
constexpr double long_run = 0.1;      // seconds: such a run is not repeated to see whether it was a bad one

class Tuning {
 public:
  Tuning(const Request& request, const Registry& registry, const Machines& machines, Executor& executor,
         const TuneOptions& options)
      : request_(request),
        call_(request.problem, request.extents),
        executor_(executor),
        options_(options),
        budget_(options_),
        candidates_(candidates_of(registry, machines, request)) {}

  TuneResult run() {
    TuneResult result;
    Runner* winner = nullptr;
    add_runners();
    if (race_until(end_of_race)) {
      if (add_tilings()) race_until(end_of_tilings);
      winner = find_winner(result.why);
    } else {
      result.why = budget_.was_stopped() ? "stopped before enough was measured: nothing changes"
                                         : "the budget was spent before enough was measured: nothing changes";
    }
    result.learned = winner != nullptr;
    if (winner == nullptr) winner = &default_runner();
    result.winner = winner->candidate().variant();
    result.measurements = measurements(*winner, result.learned);
    result.seconds = budget_.elapsed();
    return result;
  }

  std::string winner_version(const Variant& winner) const {
    for (const TuneCandidate& candidate : candidates_) {
      if (candidate.entry->name() == winner.backend) return std::string(candidate.entry->backend->version());
    }
    return "";
  }

 private:
  Runner& default_runner() { return runners_.front(); }

  /// Each runs at least once, so that everything is warm; who is hopeless does not race.
  void add_runners() {
    const double expected = candidates_.front().estimate(request_);
    for (const TuneCandidate& candidate : candidates_) {
      const bool is_default = &candidate == &candidates_.front();
      const double ratio = candidate.estimate(request_) / std::max(expected, 1e-9);
      if (!is_default && candidate.entry->builtin && ratio > hopeless) {
        add_refused(candidate, "not measured: estimated to be more than 20 times slower");
      } else {
        add_runner(candidate, is_default);
      }
    }
  }

  /// The leaders again, in the other tilings of their backends. Answers whether there are any.
  bool add_tilings() {
    if (request_.reproducible) return false;
    const std::vector<Runner*> leaders = racers();
    bool found = false;
    for (std::size_t i = 0; i < std::min(leaders.size(), most_tiled_again); ++i) {
      TuneCandidate candidate = leaders[i]->candidate();
      const std::string own_way = words_of_plan(candidate);
      for (const std::string_view tiling : candidate.entry->backend->tilings()) {
        candidate.tiling = tiling;
        if (words_of_plan(candidate) == own_way) continue;  // the same for these sizes
        add_runner(candidate, false);
        found = true;
      }
    }
    return found;
  }

  /// Empty: it makes none, which whoever makes a runner of it will be told.
  std::string words_of_plan(const TuneCandidate& candidate) const try {
    const auto plan = candidate.entry->backend->plan_as(candidate.tiling, request_.problem, *candidate.machine);
    return plan ? plan->describe(request_.extents, candidate.threads) : "";
  } catch (const Error&) {
    return "";
  }

  void add_runner(const TuneCandidate& candidate, bool is_default) {
    if (!is_default && !budget_.goes_on(to_text(candidate.variant()))) {
      return add_refused(candidate, "not measured: the budget was spent");
    }
    try {
      Runner& runner = runners_.emplace_back(candidate, call_, executor_);
      if (!rows_) rows_.emplace(runner.call().arguments());
      double seconds = spoil_and_run(runner);  // cold, and maybe disturbed
      if (is_default || seconds < long_run) seconds = spoil_and_run(runner);
      if (is_default) default_seconds_ = seconds;
      if (seconds >= is_a_sample) runner.series.add(seconds);
      const std::string fault = rows_->fault();
      if (!fault.empty() && is_default) {
        throw Error(ErrorCode::backend_failed,
                    to_text(candidate.variant()) + ": its result is not what the definition says: " + fault);
      }
      if (!fault.empty()) {
        runner.out = "is not what the definition says: " + fault.substr(0, 200);
      } else if (seconds > hopeless * default_seconds_) {
        if (runner.series.size() == 0) runner.series.add(seconds);
        runner.out = "more than 20 times slower, by one run";
      }
    } catch (const Error& error) {
      if (is_default) throw;
      if (!runners_.empty() && runners_.back().candidate().variant() == candidate.variant()) runners_.pop_back();
      add_refused(candidate, std::string("not measured: ") + error.what());
    }
  }

  void add_refused(const TuneCandidate& candidate, const std::string& why) {
    refused_.push_back({candidate.variant(), 0, 0, 0, why});
  }

  /// What the one before has left must not pass for this one's result.
  double spoil_and_run(Runner& runner) {
    call_.spoil_out();
    return runner.run();
  }

  /// Those that are not out, the fastest first.
  std::vector<Runner*> racers() {
    std::vector<Runner*> result;
    for (Runner& runner : runners_) {
      if (runner.out.empty()) result.push_back(&runner);
    }
    std::stable_sort(result.begin(), result.end(),
                     [](const Runner* a, const Runner* b) { return a->series.median() < b->series.median(); });
    return result;
  }

  bool race_until(double share) {
    budget_.set_share(share);
    return race(racers(), budget_, most_rounds);
  }

  /// Null where no verdict was reached.
  Runner* find_winner(std::string& why) {
    Runner& holder = default_runner();
    Runner* winner = &holder;
    std::vector<Runner*> challengers = racers();
    std::erase_if(challengers, [&holder](const Runner* runner) {
      return runner == &holder || runner->series.size() < fewest_rounds;
    });
    if (challengers.size() > most_challengers) challengers.resize(most_challengers);
    why = runners_.size() > 1 ? "no other one was clearly faster, twice" : "there is no other one to compare with";
    for (Runner* challenger : challengers) {
      if (challenger->series.median() >= holder.series.median()) break;  // and so are those behind it
      if (!wins_twice(*challenger, *winner)) continue;
      winner = challenger;
      why = "measured twice to be faster than " + to_text(holder.candidate().variant());
    }
    return winner;
  }

  /// Against the default, and once there is a winner against that: the order of the race may be luck.
  bool wins_twice(Runner& challenger, Runner& holder) {
    if (!wins(challenger, holder)) return false;
    if (wins(challenger, holder)) return true;
    if (challenger.out.empty()) challenger.out = "faster once, but not a second time";
    return false;
  }

  bool wins(Runner& challenger, Runner& holder) {
    const double spent = budget_.elapsed() / options_.budget_seconds;
    budget_.set_share(spent + (1 - spent) * share_of_duel);
    return duel(challenger, holder, budget_, most_pairs).won() && challenger.out.empty();
  }

  std::vector<Measurement> measurements(const Runner& winner, bool learned) const {
    std::vector<Measurement> result;
    const double best = winner.series.median();
    for (const Runner& runner : runners_) {
      Measurement m{runner.candidate().variant(), runner.series.median(), runner.series.spread(),
                    static_cast<int>(runner.series.size()), runner.out};
      if (&runner == &winner) m.verdict = learned ? "the fastest" : "stays the choice";
      if (m.verdict.empty() && !learned) m.verdict = m.samples > 0 ? "not measured often enough" : "not measured";
      if (m.verdict.empty()) m.verdict = m.seconds > 1.03 * best ? "slower" : "as good as equal";
      result.push_back(std::move(m));
    }
    std::stable_sort(result.begin(), result.end(), [&winner](const Measurement& a, const Measurement& b) {
      const Variant first = winner.candidate().variant();
      if ((a.variant == first) != (b.variant == first)) return a.variant == first;
      return a.seconds < b.seconds;
    });
    result.insert(result.end(), refused_.begin(), refused_.end());
    return result;
  }

  const Request& request_;
  SampleCall call_;
  std::optional<RowCheck> rows_;
  Executor& executor_;
  const TuneOptions options_;
  Budget budget_;
  std::vector<TuneCandidate> candidates_;
  std::list<Runner> runners_;  // the default first
  std::vector<Measurement> refused_;
  double default_seconds_ = 0;
};

WisdomEntries entry_of(const Request& request, const TuneResult& result, const std::string& version) {
  WisdomKey key{request.problem, buckets_of(request.problem, request.extents), request.threads,
                std::string(request.backend), request.isa};
  WisdomEntry entry;
  entry.winner = result.winner;
  entry.winner_version = version;
  entry.measured_at =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  entry.measurements = result.measurements;
  if (entry.measurements.size() > most_kept_measurements) entry.measurements.resize(most_kept_measurements);
  WisdomEntries entries;
  entries.emplace(std::move(key), std::move(entry));
  return entries;
}

}  // namespace

TuneResult Engine::tune(const Problem& problem, const Extents& extents, const TuneOptions& options,
                        const Selection& selection) try {
  if (options.threads < 0) refuse_argument("threads", "is " + std::to_string(options.threads) + ", must be 0 or more");
  if (!(options.budget_seconds > 0)) refuse_argument("budget_seconds", "must be more than 0");
  const bool own = options.threads == 0 || options.threads == executor().num_threads();
  const std::shared_ptr<Executor> other = own ? nullptr : make_executor(options.threads);
  Executor& workers = own ? executor() : *other;

  const auto registry = state_->backends();
  Request request = state_->request(problem, extents, workers.num_threads(), selection);
  request.wisdom = nullptr;  // the default is what is chosen without
  Tuning tuning(request, *registry, state_->machines, workers, options);
  TuneResult result = tuning.run();
  if (request.reproducible) {
    result.learned = false;
    result.why = "pinned by reproducible: there is nothing to choose";
  }
  if (result.learned) {
    result.note = state_->wisdom.learn(entry_of(request, result, tuning.winner_version(result.winner)));
  }
  return result;
} catch (const std::bad_alloc&) {
  throw Error(ErrorCode::out_of_memory, "no memory for the tensors of this problem");
}

}  // namespace attune
