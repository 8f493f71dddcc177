#include "engine/plugins/probe/rehearsal.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include <attune/error.hpp>

namespace attune::detail {
namespace {

constexpr std::int64_t heads = 2, queries = 3, keys = 5, dim = 8;
constexpr std::size_t largest_workspace = std::size_t{1} << 30;  // of a call this small

/// Memory with room on both sides that nobody is to write.
class Guarded {
 public:
  explicit Guarded(std::size_t bytes)
      : bytes_(bytes), memory_(static_cast<std::byte*>(std::aligned_alloc(workspace_alignment, padded(bytes)))) {
    if (memory_ == nullptr) throw std::bad_alloc();
    std::fill_n(memory_.get(), padded(bytes), canary);
  }

  std::span<std::byte> inside() const noexcept { return {memory_.get() + margin, bytes_}; }
  bool intact() const noexcept {
    const std::span all(memory_.get(), padded(bytes_));
    return is_canary(all.first(margin)) && is_canary(all.subspan(margin + bytes_));
  }
  static bool is_canary(std::span<const std::byte> bytes) noexcept {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == canary; });
  }

 private:
  static constexpr std::size_t margin = 4096;
  static constexpr std::byte canary{0x5a};
  static constexpr std::size_t padded(std::size_t bytes) noexcept {
    return 2 * margin + (bytes + workspace_alignment - 1) / workspace_alignment * workspace_alignment;
  }
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte, Free> memory_;
};

Problem plain_problem() { return {.heads = heads, .kv_heads = heads, .head_dim = dim, .value_dim = dim}; }

/// One for every option by itself.
std::vector<Problem> problems() {
  std::vector<Problem> result(1, plain_problem());
  const auto add = [&result](auto set) {
    result.push_back(plain_problem());
    set(result.back());
  };
  add([](Problem& p) { p.causal = true; });
  add([](Problem& p) { p.window_left = 2; });
  add([](Problem& p) { p.align = Align::Kind::offset; });
  add([](Problem& p) { p.softcap = true; });
  add([](Problem& p) { p.mask = MaskKind::boolean; });
  add([](Problem& p) { p.mask = MaskKind::f32; });
  add([](Problem& p) { p.alibi = true; });
  add([](Problem& p) { p.sinks = true; });
  add([](Problem& p) { p.key_lengths = true; });
  add([](Problem& p) { p.cu_seqlens = true; });
  add([](Problem& p) { p.lse = true; });
  add([](Problem& p) { p.weights = true; });
  add([](Problem& p) { p.kv_heads = 1; });
  add([](Problem& p) { p.block_mask = true; });
  add([](Problem& p) { p.out_dtype = DType::bf16; });
  for (const DType dtype : {DType::f16, DType::bf16, DType::f64}) {
    add([dtype](Problem& p) { p.query_dtype = p.key_dtype = p.value_dtype = p.out_dtype = dtype; });
  }
  return result;
}

Arguments arguments_for(const std::vector<float>& inputs, float* out) {
  Arguments a;
  a.query = view(inputs.data(), bhsd(1, heads, queries, dim));
  a.key = view(inputs.data(), bhsd(1, heads, keys, dim));
  a.value = view(inputs.data(), bhsd(1, heads, keys, dim));
  a.out = view(out, bhsd(1, heads, queries, dim));
  a.members = 1, a.heads = heads, a.kv_heads = heads, a.head_dim = dim, a.value_dim = dim;
  a.scale = 0.5;
  return a;
}

std::string run(const Plan& plan, const Extents& extents) {
  const std::size_t bytes = plan.workspace_bytes(extents, 1);
  if (bytes > largest_workspace)
    return "it asks for a workspace of " + std::to_string(bytes) + " bytes for a tiny call";
  const Guarded workspace(bytes);
  const Guarded out(sizeof(float) * heads * queries * dim);
  const std::vector<float> inputs(heads * keys * dim, 0.25f);
  InlineExecutor executor;
  const Arguments arguments = arguments_for(inputs, reinterpret_cast<float*>(out.inside().data()));
  if (plan.execute(arguments, workspace.inside(), executor) != Status::ok) {
    return "it could not compute a tiny problem that it says it supports";
  }
  if (!out.intact()) return "it writes outside of its output";
  if (!workspace.intact()) return "it writes outside of its workspace";
  for (std::size_t row = 0; row < heads * queries; ++row) {
    if (Guarded::is_canary(out.inside().subspan(row * dim * sizeof(float), dim * sizeof(float)))) {
      return "it says that it computed, and wrote nothing to a row of its output";
    }
  }
  return {};
}

}  // namespace

std::string rehearse(const Backend& backend, const Machine& machine, const std::function<void(const char*)>& stage) {
  const Extents extents = Extents::padded(1, queries, keys);
  stage("in supports()");
  std::string reason;
  for (const Problem& problem : problems()) {
    reason.clear();
    backend.supports(problem, extents, &reason);
    backend.supports(problem, extents, nullptr);
  }
  if (!backend.supports(plain_problem(), extents, nullptr)) return {};  // whether it takes anything is not asked here
  stage("in estimate()");
  backend.estimate(plain_problem(), extents, machine, 1);
  stage("in plan()");
  std::shared_ptr<const Plan> plan;
  try {
    plan = backend.plan(plain_problem(), machine);
  } catch (const Error& error) {
    return error.what();
  } catch (const std::bad_alloc&) {
    return "it has no memory for the plan of a tiny problem";
  }
  stage("in describe()");
  plan->describe(extents, 1);
  stage("in execute()");
  if (std::string complaint = run(*plan, extents); !complaint.empty()) return complaint;
  stage("destroying a plan");
  plan.reset();
  return {};
}

}  // namespace attune::detail
