// A candidate that can be run, and what was measured of it.
#pragma once

#include <string>

#include <attune/backend.hpp>

#include "engine/fewer_threads.hpp"
#include "engine/tuning/candidates.hpp"
#include "engine/tuning/sample_call.hpp"
#include "engine/tuning/series.hpp"
#include "engine/workspace_pool.hpp"

namespace attune::detail {

class Runner {
 public:
  /// Throws what the backend's plan throws.
  Runner(const TuneCandidate& candidate, const SampleCall& call, Executor& executor);

  const TuneCandidate& candidate() const noexcept { return candidate_; }
  const Call& call() const noexcept { return call_; }

  /// Runs once, and answers the seconds. Throws Error(backend_failed).
  double run();
  /// The mean seconds of as many runs as take long enough to be measured; whose runs fail is out. Needs a run() before.
  double timed();
  void sample() { series.add(timed()); }

  Series series;
  std::string out;  // why it races no more; empty: it does

 private:
  TuneCandidate candidate_;
  FewerThreads executor_;
  Call call_;
  Workspace workspace_;
  int runs_ = 1;  // of a sample
};

}  // namespace attune::detail
