// The functions of problem.hpp that backends use: inline, because a plugin links nothing of Attune.
#pragma once

#include <algorithm>

#include <attune/problem.hpp>

namespace attune {
namespace detail {

/// Σ clamp(t, 0, keys) over all integers t below x, in closed form.
inline double clamped_sum_below(double x, double keys) noexcept {
  if (x <= 0) return 0;
  const double rising = std::min(x, keys);
  return rising * (rising - 1) / 2 + std::max(0.0, x - keys) * keys;
}

/// Σ over queries i of clamp(i + shift, 0, keys): how many keys lie before a limit that moves with the query.
inline double keys_before(double shift, double queries, double keys) noexcept {
  shift = std::clamp(shift, -queries, keys);  // beyond it is the same, but numbers of that size would lose the others
  return clamped_sum_below(queries + shift, keys) - clamped_sum_below(shift, keys);
}

/// Pairs of one head of one member. Query i attends from its position − left to its position + right.
inline double member_pairs(const Problem& problem, double queries, double keys) noexcept {
  const double offset = problem.align == Align::Kind::top_left ? 0 : keys - queries;
  double end = queries * keys;
  if (problem.causal) {
    end = keys_before(offset + 1, queries, keys);
  } else if (problem.window_right >= 0) {
    end = keys_before(offset + static_cast<double>(problem.window_right) + 1, queries, keys);
  }
  if (problem.window_left < 0) return end;
  return end - keys_before(offset - static_cast<double>(problem.window_left), queries, keys);
}

constexpr std::uint64_t feature_bit(Feature feature, bool used) noexcept {
  return used ? static_cast<std::uint64_t>(feature) : 0;
}

}  // namespace detail

inline std::uint64_t Problem::features() const noexcept {
  // A float mask counts among the dtypes: who cannot read f16 cannot read an f16 mask either.
  const auto uses_dtype = [this](DType dtype, MaskKind kind) {
    return query_dtype == dtype || key_dtype == dtype || value_dtype == dtype || out_dtype == dtype || mask == kind;
  };
  const bool mixed = key_dtype != query_dtype || value_dtype != query_dtype || out_dtype != query_dtype;
  return detail::feature_bit(Feature::causal, causal) | detail::feature_bit(Feature::window, windowed()) |
         detail::feature_bit(Feature::align_offset, align == Align::Kind::offset || align == Align::Kind::offsets) |
         detail::feature_bit(Feature::softcap, softcap) |
         detail::feature_bit(Feature::mask_bool, mask == MaskKind::boolean) |
         detail::feature_bit(Feature::mask_float, mask != MaskKind::none && mask != MaskKind::boolean) |
         detail::feature_bit(Feature::alibi, alibi) | detail::feature_bit(Feature::sinks, sinks) |
         detail::feature_bit(Feature::key_lengths, key_lengths) | detail::feature_bit(Feature::cu_seqlens, cu_seqlens) |
         detail::feature_bit(Feature::lse, lse) | detail::feature_bit(Feature::weights, weights) |
         detail::feature_bit(Feature::gqa, kv_heads != heads) |
         detail::feature_bit(Feature::f16, uses_dtype(DType::f16, MaskKind::f16)) |
         detail::feature_bit(Feature::bf16, uses_dtype(DType::bf16, MaskKind::bf16)) |
         detail::feature_bit(Feature::f64, uses_dtype(DType::f64, MaskKind::f64)) |
         detail::feature_bit(Feature::mixed_dtypes, mixed) | detail::feature_bit(Feature::block_mask, block_mask);
}

inline double attended_pairs(const Problem& problem, const Extents& extents) noexcept {
  if (extents.batch <= 0) return 0;
  const auto members = static_cast<double>(extents.batch);
  const double queries = static_cast<double>(extents.total_queries) / members;
  const double keys = static_cast<double>(extents.total_keys) / members;
  return static_cast<double>(problem.heads) * members * detail::member_pairs(problem, queries, keys);
}

inline double flops(const Problem& problem, const Extents& extents) noexcept {
  return 2 * attended_pairs(problem, extents) * static_cast<double>(problem.head_dim + problem.value_dim);
}

}  // namespace attune
