// attune::linear_attention: validates as attention() does, then calls one of two implementations.
#include <attune/linear_attention.hpp>

#include <new>
#include <string>

#include "backends/linear/linear.hpp"
#include "backends/tiles/capability.hpp"
#include "engine/bind.hpp"
#include "engine/complaint.hpp"
#include "engine/engine_state.hpp"
#include "engine/layout.hpp"
#include "engine/tensor_checks.hpp"

namespace attune {
namespace {

using namespace detail;

void check_state(const MutableTensorView& state, const Arguments& a) {
  check_rank("state", state, 4, 4, "4, [batch, key/value heads, dim, value dim + 1]");
  check_sizes("state", state);
  check_shape("state", state, {a.members, a.kv_heads, a.head_dim, a.value_dim + 1},
              "[batch, key/value heads, dim, value dim + 1]");
  check_f32("state", state);
  check_memory("state", state);
  if (overlaps_itself(state)) refuse_argument("state", "its elements overlap each other");
  const std::pair<const char*, TensorView> others[] = {
      {"query", a.query}, {"key", a.key}, {"value", a.value}, {"out", a.out}};
  for (const auto& [name, tensor] : others)
    if (overlap(state, tensor)) refuse_argument("state", std::string("overlaps ") + name + " in memory");
}

linear::Problem problem_of(const Tensors& tensors, const LinearAttentionOptions& options) {
  const AttentionOptions none;
  const Description call = describe(tensors, none);
  if (options.causal && call.extents.queries != call.extents.keys)
    refuse_argument("causal",
                    "there are " + std::to_string(call.extents.queries) + " queries and " +
                        std::to_string(call.extents.keys) +
                        " keys; causal linear attention takes as many of each, and earlier keys as the state");
  linear::Problem problem{bound_arguments(tensors, none, call), {}, options.causal};
  if (options.state) {
    check_state(*options.state, problem.tensors);
    problem.state = *options.state;
  }
  return problem;
}

bool any_f64(const Arguments& a) noexcept { return a.query.dtype == DType::f64 || a.out.dtype == DType::f64; }

/// Is it tiled that computes?
bool choose_tiled(const LinearAttentionOptions& options, const Arguments& a) {
  if (!options.backend.empty() && options.backend != "naive" && options.backend != "tiled")
    refuse_argument("backend", "\"" + std::string(options.backend) + "\" is unknown; there are naive, tiled");
  if (options.backend == "tiled" && any_f64(a))
    throw Error(ErrorCode::unsupported, "tiled linear attention computes in f32 and does not take f64; naive does");
  return options.backend == "tiled" || (options.backend.empty() && !any_f64(a));
}

}  // namespace

void Engine::linear_attention(const Tensors& tensors, const LinearAttentionOptions& options, Executor* executor) try {
  const linear::Problem problem = problem_of(tensors, options);
  if (!choose_tiled(options, problem.tensors)) return linear::run_naive(problem);
  const kernels::Kernels& kernels = tiles::kernels_for(state_->machines.forced(options.isa).value_or(machine().isa));
  Executor& workers = executor != nullptr ? *executor : this->executor();
  const WorkspacePool::Lease workspace =
      state_->workspaces.lease(linear::workspace_bytes(problem, kernels, workers.num_threads()));
  linear::run_tiled(problem, kernels, workspace.bytes(), workers);
} catch (const std::bad_alloc&) {
  throw Error(ErrorCode::out_of_memory, "no memory for the workspace of linear attention");
}

void linear_attention(const TensorView& query, const TensorView& key, const TensorView& value,
                      const MutableTensorView& out, const LinearAttentionOptions& options, Executor* executor) {
  default_engine().linear_attention({query, key, value, out}, options, executor);
}

}  // namespace attune
