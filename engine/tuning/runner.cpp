#include "engine/tuning/runner.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

namespace attune::detail {
namespace {

using Clock = std::chrono::steady_clock;

/// Long enough that a clock's step and the call of a clock do not matter.
constexpr double shortest_sample = 2e-4;
constexpr int most_runs = 10'000;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Call bound(const TuneCandidate& candidate, const SampleCall& call) {
  const Description description = describe(call.tensors(), call.options());
  const std::shared_ptr<const Plan> plan =
      candidate.entry->backend->plan_as(candidate.tiling, description.problem, *candidate.machine);
  if (!plan) throw Error(ErrorCode::backend_failed, std::string(candidate.entry->name()) + ": made no plan");
  return plan->bind(call.tensors(), call.options());
}

}  // namespace

Runner::Runner(const TuneCandidate& candidate, const SampleCall& call, Executor& executor)
    : candidate_(candidate),
      executor_(executor, candidate.threads),
      call_(bound(candidate, call)),
      workspace_(std::max<std::size_t>(workspace_alignment, call_.workspace_bytes(executor_.num_threads()))) {}

double Runner::run() {
  const auto start = Clock::now();
  const Status status = call_.run(workspace_.bytes(), executor_);
  const double seconds = since(start);
  if (status != Status::ok) throw Error(ErrorCode::backend_failed, "it could not finish");
  runs_ = static_cast<int>(std::clamp(std::ceil(shortest_sample / std::max(seconds, 1e-9)), 1.0, double{most_runs}));
  return seconds;
}

double Runner::timed() {
  bool finished = true;
  const auto start = Clock::now();
  for (int i = 0; i < runs_; ++i) finished &= call_.run(workspace_.bytes(), executor_) == Status::ok;
  const double seconds = since(start) / runs_;
  if (!finished) out = "it could not finish each time";
  return seconds;
}

}  // namespace attune::detail
