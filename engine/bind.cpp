// Plan::bind(): describes the call once more, then checks what needs pointers, and makes the Arguments.
#include <cmath>
#include <cstdint>
#include <span>
#include <string>

#include <attune/backend.hpp>

#include "engine/aliasing.hpp"
#include "engine/attention_layouts.hpp"
#include "engine/bind.hpp"
#include "engine/complaint.hpp"
#include "engine/layout.hpp"
#include "engine/tensor_checks.hpp"

namespace attune {
namespace {

using namespace detail;

/// Names the first thing in which a call differs from the one that was planned.
const char* difference(const Problem& a, const Problem& b) noexcept {
  if (a.heads != b.heads) return "query: heads";
  if (a.kv_heads != b.kv_heads) return "key: heads";
  if (a.head_dim != b.head_dim) return "query: head_dim";
  if (a.value_dim != b.value_dim) return "value: value_dim";
  if (a.query_dtype != b.query_dtype) return "query: dtype";
  if (a.key_dtype != b.key_dtype) return "key: dtype";
  if (a.value_dtype != b.value_dtype) return "value: dtype";
  if (a.out_dtype != b.out_dtype) return "out: dtype";
  if (a.mask != b.mask) return "attn_mask: kind";
  if (a.align != b.align) return "align: kind";
  if (a.window_left != b.window_left) return "window_left: value";
  if (a.window_right != b.window_right) return "window_right: value";
  if (a.causal != b.causal) return "causal: value";
  if (a.softcap != b.softcap) return "softcap: presence";
  if (a.alibi != b.alibi) return "alibi_slopes: presence";
  if (a.sinks != b.sinks) return "sinks: presence";
  if (a.key_lengths != b.key_lengths) return "key_lengths: presence";
  if (a.cu_seqlens != b.cu_seqlens) return "cu_seqlens_q: presence";
  if (a.lse != b.lse) return "lse: presence";
  if (a.weights != b.weights) return "weights: presence";
  if (a.block_mask != b.block_mask) return "block_mask: presence";
  return nullptr;
}

void check_planned(const Problem& planned, const Problem& called) {
  if (planned == called) return;
  const char* what = difference(planned, called);
  throw Error(ErrorCode::invalid_argument,
              std::string(what != nullptr ? what : "call: problem") + " is not that of the problem this plan is for");
}

void check_data(const Tensors& t, const AttentionOptions& o) {
  check_memory("query", t.query);
  check_memory("key", t.key);
  check_memory("value", t.value);
  check_memory("out", t.out);
  if (o.attn_mask) check_memory("attn_mask", *o.attn_mask);
  if (o.block_mask) check_memory("block_mask", *o.block_mask);
  if (o.alibi_slopes) check_memory("alibi_slopes", *o.alibi_slopes);
  if (o.sinks) check_memory("sinks", *o.sinks);
  if (o.lse) check_memory("lse", *o.lse);
  if (o.weights) check_memory("weights", *o.weights);
}

/// An axis of one element is never stepped along, so its stride may be anything, however far it would lead.
/// What a contiguous or broadcast tensor has there spares backends the thought.
TensorLayout with_plain_strides(TensorLayout layout, std::int64_t last_stride) noexcept {
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(layout.rank); ++axis) {
    const bool last = axis + 1 == static_cast<std::size_t>(layout.rank);
    if (layout.shape[axis] == 1) layout.strides[axis] = last ? last_stride : 0;
  }
  return layout;
}

TensorView input(const TensorView& tensor, bool packed) noexcept {
  return {with_plain_strides(attention_axes(tensor, packed), 1), tensor.data};
}

MutableTensorView output(const MutableTensorView& tensor, const TensorLayout& layout) noexcept {
  MutableTensorView result = tensor;
  static_cast<TensorLayout&>(result) = with_plain_strides(layout, 1);
  return result;
}

/// The mask over [B, H, Sq, Sk] without a copy: stride 0 wherever it has one element for many.
TensorView broadcast_mask(const TensorView& mask, const Arguments& a) noexcept {
  TensorLayout layout = with_plain_strides(with_leading_axes(mask), 0);
  layout.shape = {a.members, a.heads, a.query.shape[sequence_axis], a.key.shape[sequence_axis]};
  return {layout, mask.data};
}

TensorView broadcast_block_mask(const TensorView& map, const Arguments& a) noexcept {
  TensorLayout layout = with_plain_strides(map, 0);
  layout.shape[batch_axis] = a.members;
  layout.shape[head_axis] = a.heads;
  return {layout, map.data};
}

TensorView broadcast_slopes(const TensorView& slopes, const Arguments& a) noexcept {
  TensorLayout layout = with_plain_strides(slopes, 0);
  if (layout.rank == 1) layout.strides = {0, layout.strides[0]};
  layout.rank = 2;
  layout.shape = {a.members, a.heads};
  return {layout, slopes.data};
}

/// lse as [B, H, Sq], also when it is packed as [H, total_q].
MutableTensorView batched_lse(const MutableTensorView& lse) noexcept {
  TensorLayout layout = lse;
  if (layout.rank == 2) {
    layout.rank = 3;
    layout.shape = {1, lse.shape[0], lse.shape[1]};
    layout.strides = {0, lse.strides[0], lse.strides[1]};
  }
  return output(lse, layout);
}

void set_options(const AttentionOptions& options, Arguments& a) noexcept {
  if (options.attn_mask) a.mask = broadcast_mask(*options.attn_mask, a);
  if (options.block_mask) {
    a.block_mask = broadcast_block_mask(*options.block_mask, a);
    a.block_queries = options.block_queries;
    a.block_keys = options.block_keys;
  }
  if (options.alibi_slopes) a.alibi_slopes = broadcast_slopes(*options.alibi_slopes, a);
  if (options.sinks) a.sinks = *options.sinks;
  if (options.key_lengths) a.key_lengths = *options.key_lengths;
  if (options.cu_seqlens_q) a.cu_seqlens_q = *options.cu_seqlens_q;
  if (options.cu_seqlens_k) a.cu_seqlens_k = *options.cu_seqlens_k;
  if (options.lse) a.lse = batched_lse(*options.lse);
  if (options.weights) a.weights = output(*options.weights, *options.weights);
  a.align = options.align;
  if (a.align.kind != Align::Kind::offsets) a.align.offsets = {};  // not looked at, so not checked either
  a.window_left = options.window_left;
  a.window_right = options.window_right;
  a.scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(a.head_dim)));
  a.softcap = options.softcap;
  a.causal = options.causal;
}

Arguments arguments_of(const Tensors& tensors, const AttentionOptions& options, const Description& call) noexcept {
  const bool packed = call.problem.cu_seqlens;
  Arguments a;
  a.query = input(tensors.query, packed);
  a.key = input(tensors.key, packed);
  a.value = input(tensors.value, packed);
  a.out = output(tensors.out, attention_axes(tensors.out, packed));
  a.members = call.extents.batch;
  a.heads = call.problem.heads;
  a.kv_heads = call.problem.kv_heads;
  a.head_dim = call.problem.head_dim;
  a.value_dim = call.problem.value_dim;
  set_options(options, a);
  return a;
}

}  // namespace

Arguments detail::bound_arguments(const Tensors& tensors, const AttentionOptions& options, const Description& call) {
  check_data(tensors, options);
  const Arguments arguments = arguments_of(tensors, options, call);
  check_aliasing(arguments);
  return arguments;
}

Call Plan::bind(const Tensors& tensors, const AttentionOptions& options) const {
  const Description call = attune::describe(tensors, options);
  check_planned(problem_, call.problem);
  return Call(shared_from_this(), call.extents, bound_arguments(tensors, options, call));
}

Status Call::run(std::span<std::byte> workspace, Executor& executor) const noexcept {
  const bool aligned = reinterpret_cast<std::uintptr_t>(workspace.data()) % workspace_alignment == 0;
  if (!aligned || workspace.size() < workspace_bytes(executor.num_threads())) return Status::invalid_workspace;
  return plan_->execute(arguments_, workspace, executor);
}

}  // namespace attune
