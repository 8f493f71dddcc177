// Squares of as many rows as a vector has lanes: the only transpositions there are. What a 128-bit lane can do by
// itself is done in registers; the rest is a matter of where 128-bit pieces are loaded from or stored to, which costs
// no shuffle.
#pragma once

#include "backends/kernels/vector.hpp"

namespace {

using Square = Row<vector_lanes>;

#if defined(__AVX2__)

constexpr int pieces = vector_lanes / 4;  // of 128 bits in a vector

/// Transposes the four by four elements in each 128-bit lane of four vectors.
inline void transpose_lanes(Vec& a, Vec& b, Vec& c, Vec& d) {
#if defined(__AVX512F__)
  const __m512 ab_low = _mm512_unpacklo_ps(a, b), ab_high = _mm512_unpackhi_ps(a, b);
  const __m512 cd_low = _mm512_unpacklo_ps(c, d), cd_high = _mm512_unpackhi_ps(c, d);
  a = _mm512_shuffle_ps(ab_low, cd_low, 0x44);
  b = _mm512_shuffle_ps(ab_low, cd_low, 0xee);
  c = _mm512_shuffle_ps(ab_high, cd_high, 0x44);
  d = _mm512_shuffle_ps(ab_high, cd_high, 0xee);
#else
  const __m256 ab_low = _mm256_unpacklo_ps(a, b), ab_high = _mm256_unpackhi_ps(a, b);
  const __m256 cd_low = _mm256_unpacklo_ps(c, d), cd_high = _mm256_unpackhi_ps(c, d);
  a = _mm256_shuffle_ps(ab_low, cd_low, 0x44);
  b = _mm256_shuffle_ps(ab_low, cd_low, 0xee);
  c = _mm256_shuffle_ps(ab_high, cd_high, 0x44);
  d = _mm256_shuffle_ps(ab_high, cd_high, 0xee);
#endif
}

/// The pieces at rows[0], rows[4] … as one vector.
inline Vec load_pieces(const float* const* rows, std::int64_t at) {
#if defined(__AVX512F__)
  __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(rows[0] + at));
  v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[4] + at), 1);
  v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[8] + at), 2);
  return _mm512_insertf32x4(v, _mm_loadu_ps(rows[12] + at), 3);
#else
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(rows[0] + at)), _mm_loadu_ps(rows[4] + at), 1);
#endif
}

template <int piece>
inline __m128 piece_of(Vec v) {
#if defined(__AVX512F__)
  return _mm512_extractf32x4_ps(v, piece);
#else
  return _mm256_extractf128_ps(v, piece);
#endif
}

/// columns[c][r] = rows[r][at + c]
inline void load_square(const float* const* rows, std::int64_t at, Square& columns) {
#pragma GCC unroll 4
  for (int c = 0; c < vector_lanes; c += 4) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) columns[c + i] = load_pieces(rows + i, at + c);
    transpose_lanes(columns[c], columns[c + 1], columns[c + 2], columns[c + 3]);
  }
}

/// Row `row` of four columns whose lanes have been transposed, for each piece of it.
template <int row, int piece = 0>
inline void store_pieces(Vec v, float* const* rows, std::int64_t at, int count) {
  if constexpr (piece < pieces) {
    if (row + 4 * piece < count) _mm_storeu_ps(rows[row + 4 * piece] + at, piece_of<piece>(v));
    store_pieces<row, piece + 1>(v, rows, at, count);
  }
}

/// rows[r][at + c] = columns[c][r] for r < count
inline void store_square(Square& columns, float* const* rows, std::int64_t at, int count) {
#pragma GCC unroll 4
  for (int c = 0; c < vector_lanes; c += 4) {
    transpose_lanes(columns[c], columns[c + 1], columns[c + 2], columns[c + 3]);
    store_pieces<0>(columns[c], rows, at + c, count);
    store_pieces<1>(columns[c + 1], rows, at + c, count);
    store_pieces<2>(columns[c + 2], rows, at + c, count);
    store_pieces<3>(columns[c + 3], rows, at + c, count);
  }
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

#endif

}  // namespace
