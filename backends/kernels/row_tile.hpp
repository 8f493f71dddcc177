// O = P·V with the columns of values in lanes: rows of the output as they lie in memory, for tiles whose keys are all
// in one block. Against value_tile.hpp it saves the transposition of the output and computes the lanes in use
// alone, which is worth a tenth where keys are few; over several blocks its sums would have to be stored and loaded
// like the others.
#pragma once

#include "backends/kernels/row_vector.hpp"
#include "backends/kernels/vector.hpp"

namespace {

/// As long as all sums are finite, the sums times 0 that are added here stay 0. Two, or each would wait for the one
/// before.
using FiniteCheck = Row<2>;

/// One vector of columns, or the first `left` of them.
template <bool partial>
inline Vec load_columns(const float* p, int left) {
  if constexpr (partial) return load_row_part<Element::f32>(p, left);
  return load_unaligned(p);
}

template <bool partial>
inline void store_columns(float* p, Vec v, int left) {
  if constexpr (!partial) return store_unaligned(p, v);
  alignas(64) float columns[vector_lanes];
  store(columns, v);
  for (int i = 0; i < left; ++i) p[i] = columns[i];
}

/// rows[r][column + c] = factor[r] · Σ_key weights[key][r] · values[key][c] for R lanes and V vectors of columns.
template <int R, int V, bool partial>
inline void row_tile(const float* weights, std::int64_t key_count, const float* values, std::int64_t value_stride,
                     int left, const float* factor, float* const* rows, std::int64_t column, FiniteCheck& check) {
  Block<R, V> sum;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[r][v] = Vec(0.0f);
  for (std::int64_t key = 0; key < key_count; ++key) {
    Row<V> value;
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) value[v] = load_columns<partial>(values + key * value_stride + v * vector_lanes, left);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec p(weights[key * tile_lanes + r]);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[r][v] = multiply_add(value[v], p, sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      check[r % 2] = multiply_add(sum[r][v], Vec(0.0f), check[r % 2]);
      store_columns<partial>(rows[r] + column + v * vector_lanes, sum[r][v] * Vec(factor[r]), left);
    }
}

/// All columns of R rows.
template <int R>
void row_group(const float* weights, std::int64_t key_count, const float* values, std::int64_t value_stride,
               std::int64_t dim, const float* factor, float* const* rows, FiniteCheck& check) {
  std::int64_t column = 0;
  for (; column + 2 * vector_lanes <= dim; column += 2 * vector_lanes)
    row_tile<R, 2, false>(weights, key_count, values + column, value_stride, 0, factor, rows, column, check);
  for (; column + vector_lanes <= dim; column += vector_lanes)
    row_tile<R, 1, false>(weights, key_count, values + column, value_stride, 0, factor, rows, column, check);
  if (const int left = static_cast<int>(dim - column); left > 0)
    row_tile<R, 1, true>(weights, key_count, values + column, value_stride, left, factor, rows, column, check);
}

/// The last rows, fewer than a tile's.
template <int R>
inline void last_rows(int count, const float* weights, std::int64_t key_count, const float* values,
                      std::int64_t value_stride, std::int64_t dim, const float* factor, float* const* rows,
                      FiniteCheck& check) {
  if constexpr (R > 0) {
    if (count == R)
      row_group<R>(weights, key_count, values, value_stride, dim, factor, rows, check);
    else
      last_rows<R - 1>(count, weights, key_count, values, value_stride, dim, factor, rows, check);
  }
}

bool weighted_rows(const float* weights, std::int64_t key_count, const float* values, std::int64_t value_stride,
                   std::int64_t dim, const float* factor, float* const* rows, int count) {
  FiniteCheck check = {Vec(0.0f), Vec(0.0f)};
  int row = 0;
  for (; row + tile_rows <= count; row += tile_rows)
    row_group<tile_rows>(weights + row, key_count, values, value_stride, dim, factor + row, rows + row, check);
  last_rows<tile_rows - 1>(count - row, weights + row, key_count, values, value_stride, dim, factor + row, rows + row,
                           check);
  return xsimd::all(check[0] + check[1] == Vec(0.0f));
}

}  // namespace
