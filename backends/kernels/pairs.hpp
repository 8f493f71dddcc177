// Pairs of bf16 in 32-bit lanes, and their products (vdpbf16ps). For instruction sets that have them.
#pragma once

#include <cstdint>
#include <cstring>

#include "backends/kernels/vector.hpp"

namespace {

using Pairs = __m512i;

inline Pairs load_pairs(const std::uint32_t* p) { return _mm512_load_si512(p); }

/// The pair at two neighbouring elements, in every lane.
inline Pairs broadcast_pair(const std::uint16_t* p) {
  std::uint32_t pair;
  std::memcpy(&pair, p, sizeof pair);
  return _mm512_set1_epi32(static_cast<int>(pair));
}

constexpr std::int64_t row_elements = 2 * vector_lanes;  // bf16 of a row in a vector

struct PairsOfRows {
  Pairs first, last;
};

/// (a[i], b[i]) of the first half of two rows' elements, and of the last.
inline PairsOfRows interleave(Pairs a, Pairs b) {
  static const std::uint16_t order[64] = {0,  32, 1,  33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                          8,  40, 9,  41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47,
                                          16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
                                          24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63};
  return {_mm512_permutex2var_epi16(a, _mm512_loadu_si512(order), b),
          _mm512_permutex2var_epi16(a, _mm512_loadu_si512(order + row_elements), b)};
}

/// The same within each quarter of the lanes, which takes less: (a[i], b[i]) of the first half of its elements, and of
/// the last.
inline PairsOfRows interleave_in_quarters(Pairs a, Pairs b) {
  return {_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b)};
}

/// (low, high) of each lane, rounded to bf16. −0 stays −0.
inline Pairs pair_of(Vec low, Vec high) {
  // The conversion puts the 16 lanes of `low` before those of `high`.
  static const std::uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                          8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_loadu_si512(order), (Pairs)_mm512_cvtne2ps_pbh(high, low));
}

/// The upper half of each lane, those of a before those of b.
inline Pairs upper_halves(Pairs a, Pairs b) {
  static const std::uint16_t order[32] = {1,  3,  5,  7,  9,  11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31,
                                          33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63};
  return _mm512_permutex2var_epi16(a, _mm512_loadu_si512(order), b);
}

/// sum + a.low · b.low + a.high · b.high in f32
inline Vec dot_pairs(Vec sum, Pairs a, Pairs b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }

}  // namespace
