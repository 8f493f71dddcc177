// Engine::tune. The candidates race; who is faster than what would be chosen anyway by more than 3 % and more than
// noise, twice, and agrees with the definition on sampled rows, takes its place. In doubt nothing changes: what is
// chosen without wisdom is never replaced by something slower.
#include <algorithm>
#include <chrono>
#include <list>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "engine/complaint.hpp"
#include "engine/engine_state.hpp"
#include "engine/tuning/race.hpp"
#include "engine/tuning/row_check.hpp"

namespace attune {

using namespace detail;

namespace {

constexpr double share_of_first_race = 0.6;  // of the budget; the rest is for the second
constexpr int most_rounds = 60;
constexpr std::size_t most_kept_measurements = 32;
constexpr double hopeless = 20;  // times slower, by estimate of a built-in or by its first run

constexpr double long_run = 0.1;  // seconds: such a run is not repeated to see whether it was a bad one

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
    add_runners();
    budget_.set_share(share_of_first_race);
    std::vector<Runner*> racers;
    for (Runner& runner : runners_) {
      if (runner.out.empty()) racers.push_back(&runner);
    }
    const bool enough = race(racers, default_runner(), budget_, most_rounds);
    budget_.set_share(1);
    TuneResult result;
    Runner* const winner = enough ? find_winner(racers, result.why) : &default_runner();
    if (!enough) result.why = "stopped before enough was measured: nothing changes";
    result.winner = winner->candidate().variant();
    result.learned = enough;
    result.measurements = measurements(*winner);
    result.seconds = budget_.elapsed();
    return result;
  }

  std::string winner_version(const Variant& winner) const {
    for (const TuneCandidate& candidate : candidates_) {
      if (candidate.variant() == winner) return std::string(candidate.entry->backend->version());
    }
    return "";
  }

 private:
  Runner& default_runner() { return runners_.front(); }

  double estimate(const TuneCandidate& candidate) const {
    return candidate.entry->backend->estimate(request_.problem, request_.extents, *candidate.machine,
                                              candidate.threads);
  }

  /// Each runs at least once, so that everything is warm; who is hopeless does not race.
  void add_runners() {
    const double expected = estimate(candidates_.front());
    for (const TuneCandidate& candidate : candidates_) {
      const bool is_default = &candidate == &candidates_.front();
      const double ratio = estimate(candidate) / std::max(expected, 1e-9);
      if (!is_default && candidate.entry->builtin && ratio > hopeless) {
        add_refused(candidate, "not measured: estimated to be more than 20 times slower");
      } else if (!is_default && !budget_.goes_on(to_text(candidate.variant()))) {
        add_refused(candidate, "not measured: the budget was spent");
      } else {
        add_runner(candidate, is_default);
      }
    }
  }

  void add_runner(const TuneCandidate& candidate, bool is_default) {
    try {
      Runner& runner = runners_.emplace_back(candidate, call_, executor_);
      if (!rows_) rows_.emplace(runner.call().arguments());
      double seconds = spoil_and_run(runner);  // cold, and maybe disturbed
      if (is_default || seconds < long_run) seconds = spoil_and_run(runner);
      if (is_default) default_seconds_ = seconds;
      const std::string fault = rows_->fault();
      if (!fault.empty() && is_default) {
        throw Error(ErrorCode::backend_failed,
                    to_text(candidate.variant()) + ": its result is not what the definition says: " + fault);
      }
      if (!fault.empty()) {
        runner.out = "is not what the definition says: " + fault.substr(0, 200);
      } else if (seconds > hopeless * default_seconds_) {
        runner.series.add(seconds);
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

  Runner* find_winner(std::vector<Runner*> racers, std::string& why) {
    Runner& holder = default_runner();
    std::sort(racers.begin(), racers.end(),
              [](const Runner* a, const Runner* b) { return a->series.median() < b->series.median(); });
    for (Runner* challenger : racers) {
      if (challenger == &holder || !challenger->out.empty()) continue;
      if (!beats(challenger->series, holder.series)) break;  // and so do those behind it not
      if (beats_again(*challenger, holder)) {
        why = "measured twice to be faster than " + to_text(holder.candidate().variant());
        return challenger;
      }
      challenger->out = "faster once, but not a second time";
    }
    why = racers.size() > 1 ? "no other one was clearly faster, twice" : "there is no other one to compare with";
    return &holder;
  }

  bool beats_again(Runner& challenger, Runner& holder) {
    const Series first_challenger = std::exchange(challenger.series, {});
    const Series first_holder = std::exchange(holder.series, {});
    const bool enough = race({&challenger, &holder}, holder, budget_, most_rounds);
    const bool again = enough && beats(challenger.series, holder.series);
    challenger.series = first_challenger;  // what is told compares all in one race
    holder.series = first_holder;
    return again;
  }

  std::vector<Measurement> measurements(const Runner& winner) const {
    std::vector<Measurement> result;
    const double best = winner.series.median();
    for (const Runner& runner : runners_) {
      Measurement m{runner.candidate().variant(), runner.series.median(), runner.series.spread(),
                    static_cast<int>(runner.series.size()), runner.out};
      if (&runner == &winner) m.verdict = "the fastest";
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
