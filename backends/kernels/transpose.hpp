// Squares of as many rows as a vector has lanes: the only transpositions there are. They are done in registers: rows
// are loaded and stored whole, since a store to another cache line costs more than the shuffles that it saves.
#pragma once

#include "backends/kernels/vector.hpp"

namespace {

using Square = Row<vector_lanes>;

#if defined(__AVX512F__)

inline Vec low_in_lanes(Vec a, Vec b) { return _mm512_unpacklo_ps(a, b); }
inline Vec high_in_lanes(Vec a, Vec b) { return _mm512_unpackhi_ps(a, b); }
template <int order>
inline Vec shuffle_in_lanes(Vec a, Vec b) {
  return _mm512_shuffle_ps(a, b, order);
}
template <int order>
inline Vec shuffle_lanes(Vec a, Vec b) {
  return _mm512_shuffle_f32x4(a, b, order);
}

/// The 128-bit lanes of four vectors: lane j of the i-th becomes lane i of the j-th.
inline void transpose_across(Vec& a, Vec& b, Vec& c, Vec& d) {
  const Vec ab_low = shuffle_lanes<0x44>(a, b), ab_high = shuffle_lanes<0xee>(a, b);
  const Vec cd_low = shuffle_lanes<0x44>(c, d), cd_high = shuffle_lanes<0xee>(c, d);
  a = shuffle_lanes<0x88>(ab_low, cd_low);
  b = shuffle_lanes<0xdd>(ab_low, cd_low);
  c = shuffle_lanes<0x88>(ab_high, cd_high);
  d = shuffle_lanes<0xdd>(ab_high, cd_high);
}

inline void transpose_across(Square& rows) {
  each<4>([&](int i) { transpose_across(rows[i], rows[i + 4], rows[i + 8], rows[i + 12]); });
}

#elif defined(__AVX2__)

inline Vec low_in_lanes(Vec a, Vec b) { return _mm256_unpacklo_ps(a, b); }
inline Vec high_in_lanes(Vec a, Vec b) { return _mm256_unpackhi_ps(a, b); }
template <int order>
inline Vec shuffle_in_lanes(Vec a, Vec b) {
  return _mm256_shuffle_ps(a, b, order);
}

inline void transpose_across(Square& rows) {
  each<4>([&](int i) {
    const Vec low = _mm256_permute2f128_ps(rows[i], rows[i + 4], 0x20);
    rows[i + 4] = _mm256_permute2f128_ps(rows[i], rows[i + 4], 0x31);
    rows[i] = low;
  });
}

#endif

#if defined(__AVX2__)

/// Transposes the four by four elements in each 128-bit lane of four vectors.
inline void transpose_in_lanes(Vec& a, Vec& b, Vec& c, Vec& d) {
  const Vec ab_low = low_in_lanes(a, b), ab_high = high_in_lanes(a, b);
  const Vec cd_low = low_in_lanes(c, d), cd_high = high_in_lanes(c, d);
  a = shuffle_in_lanes<0x44>(ab_low, cd_low);
  b = shuffle_in_lanes<0xee>(ab_low, cd_low);
  c = shuffle_in_lanes<0x44>(ab_high, cd_high);
  d = shuffle_in_lanes<0xee>(ab_high, cd_high);
}

/// Rows become columns.
inline void transpose(Square& rows) {
#pragma GCC unroll 4
  for (int r = 0; r < vector_lanes; r += 4) transpose_in_lanes(rows[r], rows[r + 1], rows[r + 2], rows[r + 3]);
  transpose_across(rows);
}

#else

/// Rows become columns: log2(lanes) perfect shuffles of as many vectors as a vector has lanes.
inline void transpose(Square& rows) {
#pragma GCC unroll 4
  for (int step = 1; step < vector_lanes; step *= 2) {
    Square next;
#pragma GCC unroll 8
    for (int i = 0; i < vector_lanes / 2; ++i) {
      next[2 * i] = xsimd::zip_lo(rows[i], rows[i + vector_lanes / 2]);
      next[2 * i + 1] = xsimd::zip_hi(rows[i], rows[i + vector_lanes / 2]);
    }
    each<vector_lanes>([&](int i) { rows[i] = next[i]; });
  }
}

#endif

/// columns[c][r] = rows[r][at + c]
inline void load_square(const float* const* rows, std::int64_t at, Square& columns) {
  each<vector_lanes>([&](int i) { columns[i] = load_unaligned(rows[i] + at); });
  transpose(columns);
}

/// rows[r][at + c] = columns[c][r] for r < count
inline void store_square(Square& columns, float* const* rows, std::int64_t at, int count) {
  transpose(columns);
  each<vector_lanes>([&](int i) {
    if (i < count) store_unaligned(rows[i] + at, columns[i]);
  });
}

}  // namespace
