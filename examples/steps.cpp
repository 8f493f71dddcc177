// attention() in its steps: for a caller who wants to see the choice, keep the plan, or bring their own memory.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <attune/attune.hpp>

int main() {
  std::vector<float> q(8 * 256 * 64, 0.5f), k(q), v(q), out(q.size());
  const auto layout = attune::bhsd(1, 8, 256, 64);
  const attune::Tensors tensors{attune::view(q.data(), layout), attune::view(k.data(), layout),
                                attune::view(v.data(), layout), attune::view(out.data(), layout)};
  const attune::AttentionOptions options{.causal = true, .window_left = 63};

  attune::Engine engine;
  attune::Executor& executor = engine.executor();
  const auto [problem, extents] = attune::describe(tensors, options);

  const attune::Choice choice = engine.select(problem, extents, executor.num_threads());
  std::printf("chosen: %s (%s)\n", choice.backend.c_str(), choice.rule.c_str());
  for (const attune::Candidate& candidate : choice.candidates)
    std::printf("  %-6s %s\n", candidate.backend.c_str(), candidate.eligible ? "eligible" : candidate.reason.c_str());

  const auto plan = engine.plan(problem, extents, executor.num_threads());
  std::printf("plan: %s\n", plan->describe(extents, executor.num_threads()).c_str());

  // bind() checks everything; run() allocates nothing and cannot fail, however often it is called.
  const attune::Call call = plan->bind(tensors, options);
  const std::size_t bytes = call.workspace_bytes(executor.num_threads());
  const std::size_t rounded = (bytes / attune::workspace_alignment + 1) * attune::workspace_alignment;
  const std::unique_ptr<void, void (*)(void*)> memory(std::aligned_alloc(attune::workspace_alignment, rounded),
                                                      std::free);
  const attune::Status status = call.run({static_cast<std::byte*>(memory.get()), bytes}, executor);
  std::printf("out[0] = %.3f\n", static_cast<double>(out[0]));
  return status == attune::Status::ok ? 0 : 1;
}
