// Candidates measured in turn.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <attune/backend.hpp>
#include <attune/tuning.hpp>

#include "engine/fewer_threads.hpp"
#include "engine/tuning/candidates.hpp"
#include "engine/tuning/sample_call.hpp"
#include "engine/tuning/series.hpp"
#include "engine/workspace_pool.hpp"

namespace attune::detail {

/// A candidate that can be run, and what was measured of it.
class Runner {
 public:
  /// Throws what the backend's plan throws.
  Runner(const TuneCandidate& candidate, const SampleCall& call, Executor& executor);

  const TuneCandidate& candidate() const noexcept { return candidate_; }
  const Call& call() const noexcept { return call_; }

  /// Runs once. Throws Error(backend_failed).
  double run();
  /// One sample: as many runs as take long enough to be measured.
  void sample() { series.add(timed_runs()); }

  Series series;
  std::string out;  // why it races no more; empty: it does

 private:
  double timed_runs();

  TuneCandidate candidate_;
  FewerThreads executor_;
  Call call_;
  Workspace workspace_;
  int runs_ = 1;  // of a sample
};

/// How long tuning may go on, and whether anybody stopped it.
class Budget {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Budget(const TuneOptions& options) : options_(options) {}

  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  /// Asks who watches, and the clock. `doing`: what is to be measured next.
  bool goes_on(const std::string& doing);
  /// Of the budget, that may be spent from now on.
  void set_share(double share) noexcept { share_ = share; }

 private:
  const TuneOptions& options_;
  Clock::time_point start_ = Clock::now();
  double share_ = 1;
  bool stopped_ = false;
};

/// Samples the runners in turn, each round in another order, and takes out who is clearly slower than the fastest; not
/// the holder, whom a challenger must beat by more than noise, which takes samples. Ends
/// when one is left, when those that are left differ by no more than a challenger needs and noise is small, after
/// `most_rounds`, or with the budget. Answers whether everybody who was not taken out has at least `fewest_rounds`.
bool race(std::vector<Runner*> runners, const Runner& holder, Budget& budget, int most_rounds);

inline constexpr int fewest_rounds = 5;

}  // namespace attune::detail
