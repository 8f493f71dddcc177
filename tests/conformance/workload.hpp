// What one call computes: sizes, options and the logical content of every tensor; nothing about memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <attune/options.hpp>
#include <attune/problem.hpp>

#include "tests/conformance/array.hpp"
#include "tests/conformance/random.hpp"

namespace attune::conformance {

enum class Alibi { none, per_head, per_batch };

/// A call without its numbers. Everything has a default, so that a case states what it is about:
///   Spec spec; spec.queries = 129; spec.causal = true;
struct Spec {
  std::int64_t batch = 1, heads = 2, kv_heads = 2, queries = 1, keys = 1, head_dim = 64, value_dim = 64;
  DType query = DType::f32, key = DType::f32, value = DType::f32, out = DType::f32;

  std::optional<double> scale;
  bool causal = false;
  Align::Kind align = Align::Kind::bottom_right;
  std::int64_t offset = 0;            // with Align::Kind::offset
  std::vector<std::int64_t> offsets;  // with Align::Kind::offsets, one a member
  std::int64_t window_left = -1, window_right = -1;
  double softcap = 0;
  MaskKind mask = MaskKind::none;
  std::vector<std::int64_t> mask_shape;                   // right-aligned against [B, H, Sq, Sk]; empty: all four
  double mask_density = 0.7;                              // share of a bool mask that is true
  std::int64_t block_queries = 0, block_keys = 0;         // of a block_mask; 0: none
  bool blocks_per_member = true, blocks_per_head = true;  // false: one map for all
  double block_density = 0.6;                             // share of blocks that may be attended
  Alibi alibi = Alibi::none;
  bool sinks = false;
  std::vector<std::int64_t> key_lengths;               // empty: none
  std::vector<std::int64_t> query_starts, key_starts;  // cu_seqlens; empty: not packed
  DType index_dtype = DType::i64;                      // of lengths, offsets and cu_seqlens

  bool lse = false;
  bool weights = false;

  double logits = 1;       // about how large scale · q · k comes out
  double value_scale = 1;  // about how large a value is

  bool packed() const { return !query_starts.empty(); }
  std::int64_t members() const { return packed() ? static_cast<std::int64_t>(query_starts.size()) - 1 : batch; }
  bool has_block_mask() const { return block_queries > 0; }
  std::int64_t longest_queries() const;  // of a member; with cu_seqlens `queries` and `keys` are totals
  std::int64_t longest_keys() const;
  std::int64_t group() const { return kv_heads == 0 ? 1 : heads / kv_heads; }
  double scale_value() const;

  void set_heads(std::int64_t count, std::int64_t kv_count) { heads = count, kv_heads = kv_count; }
  void set_sizes(std::int64_t query_count, std::int64_t key_count) { queries = query_count, keys = key_count; }
  void set_dims(std::int64_t dim) { head_dim = value_dim = dim; }
  void set_blocks(std::int64_t query_count, std::int64_t key_count) {
    block_queries = query_count, block_keys = key_count;
  }
  void set_dtype(DType dtype) { query = key = value = out = dtype; }
  /// Packs sequences of these lengths one after the other.
  void set_packed(const std::vector<std::int64_t>& query_lengths, const std::vector<std::int64_t>& packed_key_lengths);
};

/// One line that says all: what a failure message shows.
std::string describe(const Spec& spec);

struct Workload {
  Spec spec;
  Array query, key, value;  // [B, H, S, D], packed [total, H, D]
  Array mask, block_mask, alibi, sinks;

  /// Where rows begin in the arrays, and the place of a query row among all rows (that of its lse).
  const double* query_row(std::int64_t member, std::int64_t head, std::int64_t i) const;
  const double* key_row(std::int64_t member, std::int64_t head, std::int64_t j) const;
  const double* value_row(std::int64_t member, std::int64_t head, std::int64_t j) const;
  std::int64_t key_at(std::int64_t member, std::int64_t kv_head, std::int64_t j) const;  // of its first element
  std::int64_t value_at(std::int64_t member, std::int64_t kv_head, std::int64_t j) const;
  std::int64_t block_at(std::int64_t member, std::int64_t head, std::int64_t i, std::int64_t j) const;
  std::int64_t lse_at(std::int64_t member, std::int64_t head, std::int64_t i) const;
  std::int64_t out_at(std::int64_t member, std::int64_t head, std::int64_t i) const;  // of its first element

  std::int64_t queries_of(std::int64_t member) const;
  std::int64_t keys_of(std::int64_t member) const;  // its key length
  std::int64_t offset_of(std::int64_t member) const;

  Array out_array() const;  // of the right shapes, zero
  Array lse_array() const;
  Array weights_array() const;
};

/// Draws every tensor that the spec asks for.
Workload generate(const Spec& spec, Random& random);

/// The workload of one batch member (or packed member) alone: the same numbers.
Workload only_member(const Workload& workload, std::int64_t member);

}  // namespace attune::conformance
