// Rows in and out of tiles: the only transpositions there are.
#pragma once

#include "backends/kernels/vector.hpp"

namespace {

/// A square of vector_lanes rows of queries by as many dims, transposed into the tile. Rows from `count` on are zero.
inline void load_square(const float* const* rows, int count, std::int64_t d, float scale, float* tile) {
  Row<vector_lanes> square;
#pragma GCC unroll 16
  for (int i = 0; i < vector_lanes; ++i) square[i] = i < count ? load_unaligned(rows[i] + d) * Vec(scale) : Vec(0.0f);
  transpose(square);
#pragma GCC unroll 16
  for (int i = 0; i < vector_lanes; ++i) store(tile + (d + i) * tile_lanes, square[i]);
}

void load_rows(const float* const* rows, int count, std::int64_t dim, float scale, float* tile) {
  for (int first = 0; first < tile_lanes; first += vector_lanes) {
    const int used = count - first < 0 ? 0 : count - first < vector_lanes ? count - first : vector_lanes;
    std::int64_t done = 0;
    if (used > 0)
      for (; done + vector_lanes <= dim; done += vector_lanes)
        load_square(rows + first, used, done, scale, tile + first);
    for (std::int64_t d = done; d < dim; ++d)
      for (int lane = first; lane < first + vector_lanes; ++lane)
        tile[d * tile_lanes + lane] = lane < count ? scale * rows[lane][d] : 0.0f;
  }
}

/// The reverse: a square of the tile, times each lane's factor, into its rows.
inline void store_square(const float* tile, std::int64_t d, Vec factor, float* const* rows, int count) {
  Row<vector_lanes> square;
#pragma GCC unroll 16
  for (int i = 0; i < vector_lanes; ++i) square[i] = load(tile + (d + i) * tile_lanes) * factor;
  transpose(square);
#pragma GCC unroll 16
  for (int i = 0; i < vector_lanes; ++i)
    if (i < count) store_unaligned(rows[i] + d, square[i]);
}

void store_rows(const float* tile, std::int64_t dim, const float* factor, float* const* rows, int count) {
  for (int first = 0; first < count; first += vector_lanes) {
    const int used = count - first < vector_lanes ? count - first : vector_lanes;
    std::int64_t done = 0;
    for (; done + vector_lanes <= dim; done += vector_lanes)
      store_square(tile + first, done, load(factor + first), rows + first, used);
    for (int lane = first; lane < first + used; ++lane)
      for (std::int64_t d = done; d < dim; ++d) rows[lane][d] = tile[d * tile_lanes + lane] * factor[lane];
  }
}

bool all_finite(const float* tile, std::int64_t dim, int vectors) {
  // x · 0 is 0 for finite x and NaN for the others.
  Vec sum(0.0f);
  for (std::int64_t d = 0; d < dim; ++d)
    for (int v = 0; v < vectors; ++v)
      sum = multiply_add(load(tile + d * tile_lanes + v * vector_lanes), Vec(0.0f), sum);
  return xsimd::all(sum == Vec(0.0f));
}

}  // namespace
