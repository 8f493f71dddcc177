#include "tools/attune/run/execution.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <string>

#include "tools/attune/io/tensor.hpp"

namespace attune::tool {
namespace {

bool is_parallel(const Engine& engine, const std::string& name) {
  for (const auto& backend : engine.backends()) {
    if (backend->name() == name) return backend->parallel();
  }
  return false;
}

/// A backend of one thread gets one, whatever number was asked for.
std::shared_ptr<Executor> make_executor_for(const Engine& engine, const std::string& backend, int threads) {
  if (!is_parallel(engine, backend)) return std::make_shared<InlineExecutor>();
  return make_executor(threads);
}

double seconds_of(const Call& call, std::span<std::byte> workspace, Executor& executor) {
  const auto start = std::chrono::steady_clock::now();
  const Status status = call.run(workspace, executor);
  const auto end = std::chrono::steady_clock::now();
  if (status != Status::ok) throw Error(ErrorCode::backend_failed, "the backend could not finish");
  return std::chrono::duration<double>(end - start).count();
}

double median(std::vector<double> values) {
  const std::size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle), values.end());
  if (values.size() % 2 == 1) return values[middle];
  const double below = *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle));
  return (below + values[middle]) / 2;
}

}  // namespace

Executable::Executable(Engine& engine, const Tensors& tensors, const AttentionOptions& options,
                       const ExecutionWish& wish)
    : engine_(engine), call_(describe(tensors, options)), wish_(wish) {
  const int threads = wish.threads ? *wish.threads : engine.executor().num_threads();
  const Selection selection{options.backend, options.isa, options.reproducible};
  choice_ = engine.select(call_.problem, call_.extents, threads, selection);
  plan_ = engine.plan(call_.problem, call_.extents, threads, selection);
}

Execution Executable::run(const Tensors& tensors, const AttentionOptions& options) {
  const std::shared_ptr<Executor> executor =
      make_executor_for(engine_, choice_.backend, wish_.threads.value_or(choice_.threads));
  const Call call = plan_->bind(tensors, options);
  io::Bytes workspace(call.workspace_bytes(executor->num_threads()));
  std::vector<double> seconds;
  for (int repeat = 0; repeat < wish_.repeats; ++repeat) seconds.push_back(seconds_of(call, workspace, *executor));
  return {choice_, executor->num_threads(), wish_.repeats, median(std::move(seconds)),
          flops(call_.problem, call_.extents)};
}

}  // namespace attune::tool
