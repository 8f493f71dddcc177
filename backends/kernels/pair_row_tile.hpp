// O = P·V straight into rows of bf16, on pairs: row_tile.hpp with products of pairs.
#pragma once

#include "backends/kernels/half.hpp"
#include "backends/kernels/pairs.hpp"
#include "backends/kernels/row_tile.hpp"

namespace {

/// A step is a pair of keys; rows are rounded to bf16 once.
struct RowsOfPairs {
  using Weight = std::uint32_t;
  using Value = std::uint32_t;
  using Output = std::uint16_t;
  using Operand = Pairs;

  template <bool partial>
  static Pairs columns(const std::uint32_t* p, int left) {
    if constexpr (partial) return _mm512_maskz_loadu_epi32(first_lanes(left), p);
    return _mm512_loadu_si512(p);
  }

  static Pairs broadcast(const std::uint32_t* p) { return _mm512_set1_epi32(static_cast<int>(*p)); }
  static Vec add(Vec sum, Pairs value, Pairs weight) { return dot_pairs(sum, value, weight); }

  template <int V, bool partial>
  static void store(std::uint16_t* p, const Row<V>& columns, int left) {
    if constexpr (V == 2) {
      _mm512_storeu_si512(p, upper_halves(rounded_to_bf16(columns[0]), rounded_to_bf16(columns[1])));
    } else {
      const __m256i narrow = narrowed(columns[0], true);
      if constexpr (partial) return _mm256_mask_storeu_epi16(p, first_lanes(left), narrow);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow);
    }
  }
};

bool pair_weighted_rows(const std::uint32_t* weights, std::int64_t key_count, const std::uint32_t* values,
                        std::int64_t dim, const float* factor, std::uint16_t* const* rows, int count) {
  return all_rows<RowsOfPairs>(count, {weights, (key_count + 1) / 2, values, dim, factor, rows}, dim);
}

}  // namespace
