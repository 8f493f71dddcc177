// Rows in and out of tiles: the only transpositions there are.
#pragma once

#include "backends/kernels/vector.hpp"

namespace {

void load_rows(const float* const* rows, std::int64_t stride, int count, std::int64_t dim, float scale, float* tile) {
  for (int lane = 0; lane < count; ++lane) {
    const float* row = rows[lane];
    for (std::int64_t d = 0; d < dim; ++d) tile[d * tile_lanes + lane] = scale * row[d * stride];
  }
  for (int lane = count; lane < tile_lanes; ++lane)
    for (std::int64_t d = 0; d < dim; ++d) tile[d * tile_lanes + lane] = 0.0f;
}

void store_rows(const float* tile, std::int64_t dim, const float* factor, float* const* rows, std::int64_t stride,
                int count) {
  for (int lane = 0; lane < count; ++lane) {
    float* row = rows[lane];
    for (std::int64_t d = 0; d < dim; ++d) row[d * stride] = tile[d * tile_lanes + lane] * factor[lane];
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
