// A validated call, as a backend sees it: nothing in here needs to be checked again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include <attune/options.hpp>
#include <attune/problem.hpp>

namespace attune {

/// An element of an i32 or i64 tensor of rank 1.
inline std::int64_t index_at(const TensorView& tensor, std::int64_t i) noexcept {
  const std::int64_t at = i * tensor.strides[0];
  return tensor.dtype == DType::i32 ? tensor.as<std::int32_t>()[at] : tensor.as<std::int64_t>()[at];
}

/// One batch member: which rows of the tensors are its own, and where its queries stand among its keys.
struct Member {
  std::int64_t batch = 0;        // index into the batch axis of query, key, value and out (0 when packed)
  std::int64_t first_query = 0;  // its first row in the sequence axis of query, out and lse
  std::int64_t queries = 0;
  std::int64_t first_key = 0;  // its first row in the sequence axis of key and value
  std::int64_t keys = 0;       // key length: rows beyond it are not to be read
  std::int64_t offset = 0;     // query i stands at position i + offset
};

/// Keys begin … end − 1 of a member; empty where begin == end.
struct KeyRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Shapes have rank 4 whatever the caller's layout: query [B, H, Sq, D] and so on; packed tensors appear as
/// [1, heads, total_tokens, dim] and lse as [1, H, total_q]. Options that are off have data == nullptr.
struct Arguments {
  TensorView query, key, value;
  MutableTensorView out;
  MutableTensorView lse;      // [B, H, Sq]
  MutableTensorView weights;  // [B, H, Sq, Sk]
  TensorView mask;            // [B, H, Sq, Sk], stride 0 where it is broadcast
  TensorView block_mask;      // [B or members, H, blocks of queries, blocks of keys], stride 0 where it is broadcast
  TensorView alibi_slopes;    // [B, H], stride 0 where it is broadcast
  TensorView sinks;           // [H]
  TensorView key_lengths;     // [B]
  TensorView cu_seqlens_q, cu_seqlens_k;  // [B + 1]
  Align align;
  std::int64_t members = 0;  // B, or the packed members
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0, value_dim = 0;
  std::int64_t window_left = -1, window_right = -1;
  std::int64_t block_queries = 0, block_keys = 0;  // of block_mask
  double scale = 1;
  double softcap = 0;  // 0: none
  bool causal = false;

  std::int64_t group() const noexcept { return kv_heads == 0 ? 1 : heads / kv_heads; }

  Member member(std::int64_t b) const noexcept {
    Member m;
    if (cu_seqlens_q.data != nullptr) {
      m.first_query = index_at(cu_seqlens_q, b);
      m.queries = index_at(cu_seqlens_q, b + 1) - m.first_query;
      m.first_key = index_at(cu_seqlens_k, b);
      m.keys = index_at(cu_seqlens_k, b + 1) - m.first_key;
    } else {
      m.batch = b;
      m.queries = query.shape[2];
      m.keys = key_lengths.data != nullptr ? index_at(key_lengths, b) : key.shape[2];
    }
    switch (align.kind) {
      case Align::Kind::bottom_right:
        m.offset = m.keys - m.queries;
        break;
      case Align::Kind::top_left:
        m.offset = 0;
        break;
      case Align::Kind::offset:
        m.offset = align.offset;
        break;
      case Align::Kind::offsets:
        m.offset = index_at(align.offsets, b);
        break;
    }
    return m;
  }

  /// Position of query i among the keys. Saturates far outside of every tensor instead of overflowing.
  static std::int64_t position(const Member& m, std::int64_t i) noexcept {
    constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max() / 4;
    return std::clamp(m.offset, -far, far) + i;
  }

  /// The keys that causal, window and lengths leave to query i of the member.
  KeyRange attended_keys(const Member& m, std::int64_t i) const noexcept {
    const std::int64_t p = position(m, i);
    constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max() / 4;
    std::int64_t begin = 0;
    std::int64_t end = m.keys;
    if (causal) end = std::min(end, p + 1);
    if (window_right >= 0) end = std::min(end, p + std::min(window_right, far) + 1);
    if (window_left >= 0) begin = std::max(begin, p - std::min(window_left, far));
    if (end <= begin) return {};
    return {begin, end};
  }

  /// Does the block map, if there is one, let this query of the member attend this key of it? Bools are read as
  /// bytes: any value but 0 is true.
  bool block_attended(std::int64_t member_index, std::int64_t head, std::int64_t i, std::int64_t j) const noexcept {
    if (block_mask.data == nullptr) return true;
    const auto& m = block_mask.strides;
    const std::int64_t at = member_index * m[0] + head * m[1] + i / block_queries * m[2] + j / block_keys * m[3];
    return block_mask.as<std::uint8_t>()[at] != 0;
  }
};

}  // namespace attune
