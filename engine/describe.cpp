// describe(): what a call is about, or why it contradicts itself. The order of the checks matters: ranks
// before sizes, sizes before anything that multiplies or reads with them.
#include <string>
#include <string_view>

#include <attune/problem.hpp>

#include "engine/attention_layouts.hpp"
#include "engine/complaint.hpp"
#include "engine/option_checks.hpp"
#include "engine/tensor_checks.hpp"

namespace attune {
namespace detail {

TensorLayout attention_axes(const TensorLayout& layout, bool packed) noexcept {
  if (!packed) return layout;
  TensorLayout result = layout;
  result.rank = max_rank;
  result.shape = {1, layout.shape[1], layout.shape[0], layout.shape[2]};
  result.strides = {0, layout.strides[1], layout.strides[0], layout.strides[2]};
  return result;
}

}  // namespace detail

namespace {

using namespace detail;

void check_tensor(std::string_view name, const TensorLayout& layout, bool packed) {
  const int rank = packed ? 3 : 4;
  check_rank(name, layout, rank, rank,
             packed ? "3, [total_tokens, heads, dim], with cu_seqlens" : "4, [batch, heads, sequence, dim]");
  check_sizes(name, layout);
}

void check_dtypes(const Tensors& t) {
  check_float("query", t.query.dtype);
  check_float("key", t.key.dtype);
  check_float("value", t.value.dtype);
  const DType query = t.query.dtype;
  const auto check_f64_pact = [query](std::string_view name, DType dtype) {
    if ((dtype == DType::f64) == (query == DType::f64)) return;
    refuse_argument(name, std::string("dtype is ") + attune::name(dtype) + ", query's is " + attune::name(query) +
                              "; f64 goes only with query, key and value all f64");
  };
  check_f64_pact("key", t.key.dtype);
  check_f64_pact("value", t.value.dtype);
  if (t.out.dtype == DType::f32 || t.out.dtype == query) return;
  refuse_argument(
      "out", std::string("dtype is ") + attune::name(t.out.dtype) + ", must be f32 or query's, " + attune::name(query));
}

void check_equal(std::string_view name, const TensorLayout& layout, std::string_view other_name,
                 const TensorLayout& other, Axis axis, const char* axis_name) {
  if (layout.shape[axis] == other.shape[axis]) return;
  refuse_argument(name, std::string(axis_name) + " is " + std::to_string(layout.shape[axis]) + ", " +
                            std::string(other_name) + "'s is " + std::to_string(other.shape[axis]) +
                            "; they must be equal");
}

void check_heads(const AttentionLayouts& t) {
  const std::int64_t kv_heads = t.key.shape[head_axis];
  if (kv_heads == 0 ? t.heads() == 0 : t.heads() % kv_heads == 0) return;
  refuse_argument("key", "heads is " + std::to_string(kv_heads) + ", query's is " + std::to_string(t.heads()) +
                             "; query's must be a multiple of key's");
}

void check_fit(const AttentionLayouts& t) {
  if (t.query.shape[dim_axis] == 0) refuse_argument("query", "head_dim is 0, must be at least 1");
  check_equal("key", t.key, "query", t.query, batch_axis, "batch");
  check_equal("key", t.key, "query", t.query, dim_axis, "head_dim");
  check_heads(t);
  check_equal("value", t.value, "key", t.key, batch_axis, "batch");
  check_equal("value", t.value, "key", t.key, head_axis, "heads");
  check_equal("value", t.value, "key", t.key, sequence_axis, t.packed ? "total_tokens" : "sequence length");
  check_equal("out", t.out, "query", t.query, batch_axis, "batch");
  check_equal("out", t.out, "query", t.query, head_axis, "heads");
  check_equal("out", t.out, "query", t.query, sequence_axis, t.packed ? "total_tokens" : "sequence length");
  check_equal("out", t.out, "value", t.value, dim_axis, "value_dim");
}

AttentionLayouts check_tensors(const Tensors& tensors, bool packed) {
  check_tensor("query", tensors.query, packed);
  check_tensor("key", tensors.key, packed);
  check_tensor("value", tensors.value, packed);
  check_tensor("out", tensors.out, packed);
  check_dtypes(tensors);
  AttentionLayouts layouts{attention_axes(tensors.query, packed), attention_axes(tensors.key, packed),
                           attention_axes(tensors.value, packed), attention_axes(tensors.out, packed), packed};
  check_fit(layouts);
  return layouts;
}

Extents extents_of(const AttentionLayouts& t, const AttentionOptions& options) {
  if (!t.packed) return Extents::padded(t.members, t.queries(), t.keys());
  Extents extents;
  extents.batch = t.members;
  extents.total_queries = t.queries();
  extents.total_keys = t.keys();
  extents.queries = longest_member("cu_seqlens_q", *options.cu_seqlens_q, t.members, t.queries());
  extents.keys = longest_member("cu_seqlens_k", *options.cu_seqlens_k, t.members, t.keys());
  return extents;
}

MaskKind mask_kind(const AttentionOptions& options) noexcept {
  if (!options.attn_mask) return MaskKind::none;
  switch (options.attn_mask->dtype) {
    case DType::f32:
      return MaskKind::f32;
    case DType::f16:
      return MaskKind::f16;
    case DType::bf16:
      return MaskKind::bf16;
    case DType::f64:
      return MaskKind::f64;
    default:
      return MaskKind::boolean;
  }
}

Problem problem_of(const AttentionLayouts& t, const AttentionOptions& options) noexcept {
  Problem problem;
  problem.heads = t.heads();
  problem.kv_heads = t.key.shape[head_axis];
  problem.head_dim = t.query.shape[dim_axis];
  problem.value_dim = t.value.shape[dim_axis];
  problem.query_dtype = t.query.dtype;
  problem.key_dtype = t.key.dtype;
  problem.value_dtype = t.value.dtype;
  problem.out_dtype = t.out.dtype;
  problem.mask = mask_kind(options);
  problem.align = options.align.kind;
  problem.window_left = options.window_left;
  problem.window_right = options.window_right;
  problem.causal = options.causal;
  problem.softcap = options.softcap > 0;
  problem.alibi = options.alibi_slopes.has_value();
  problem.sinks = options.sinks.has_value();
  problem.key_lengths = options.key_lengths.has_value();
  problem.cu_seqlens = t.packed;
  problem.lse = options.lse.has_value();
  problem.weights = options.weights.has_value();
  problem.block_mask = options.block_mask.has_value();
  return problem;
}

}  // namespace

Description describe(const Tensors& tensors, const AttentionOptions& options) {
  const bool packed = check_combinations(options);
  AttentionLayouts layouts = check_tensors(tensors, packed);
  layouts.members = packed ? packed_members(options) : layouts.query.shape[batch_axis];
  check_options(options, layouts);
  const Extents extents = extents_of(layouts, options);
  check_block_mask(options, layouts.heads(), extents);
  return {problem_of(layouts, options), extents};
}

}  // namespace attune
