#include "tools/attune/profile/contestant.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/attune/io/tensor.hpp"

namespace attune::tool::profile {
namespace {

double median_of(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

}  // namespace

Contestant softmax_contestant(Engine& engine, const std::string& backend, const std::string& isa,
                              std::shared_ptr<Executor> executor, const Tensors& tensors,
                              const AttentionOptions& options) {
  const auto [problem, extents] = describe(tensors, options);
  const int threads = executor->num_threads();
  const auto plan = engine.plan(problem, extents, threads, {.backend = backend, .isa = isa});
  const Call call = plan->bind(tensors, options);
  const auto workspace = std::make_shared<io::Bytes>(call.workspace_bytes(threads));
  const auto run = [call, workspace, executor] {
    if (call.run(*workspace, *executor) != Status::ok)
      throw Error(ErrorCode::backend_failed, "the backend could not finish");
  };
  return {plan->isa(), std::move(executor), static_cast<double>(workspace->size()), run};
}

Timing timing_of(std::vector<double> seconds) {
  const double median = median_of(seconds);
  for (double& x : seconds) x = std::abs(x - median);
  return {median, 1.4826 * median_of(seconds) / median};
}

double time_of(const Contestant& contestant) {
  const auto start = std::chrono::steady_clock::now();
  contestant.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Resident resident_memory() {
  Resident resident;
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;) {
    double kilobytes = 0;
    if (key == "VmHWM:" && status >> kilobytes) resident.peak = kilobytes * 1024;
    if (key == "VmRSS:" && status >> kilobytes) resident.now = kilobytes * 1024;
  }
  return resident;
}

void forget_resident_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

}  // namespace attune::tool::profile
