// Rows in and out of tiles.
#pragma once

#include "backends/kernels/transpose.hpp"

namespace {

/// What lanes without a query read.
alignas(64) constexpr float zeros[vector_lanes] = {};

/// As many dims from d on of one vector of lanes. Lanes from `count` on are zero.
inline void load_lanes(const float* const* rows, int count, std::int64_t d, float scale, float* tile) {
  const float* from[vector_lanes];
  each<vector_lanes>([&](int i) { from[i] = i < count ? rows[i] + d : zeros; });
  Square columns;
  load_square(from, columns);
  each<vector_lanes>([&](int i) { store(tile + (d + i) * tile_lanes, columns[i] * Vec(scale)); });
}

void load_rows(const float* const* rows, int count, std::int64_t dim, float scale, float* tile) {
  for (int first = 0; first < tile_lanes; first += vector_lanes) {
    const int used = count - first < 0 ? 0 : count - first < vector_lanes ? count - first : vector_lanes;
    std::int64_t done = 0;
    if (used > 0)
      for (; done + vector_lanes <= dim; done += vector_lanes)
        load_lanes(rows + first, used, done, scale, tile + first);
    for (std::int64_t d = done; d < dim; ++d)
      for (int lane = first; lane < first + vector_lanes; ++lane)
        tile[d * tile_lanes + lane] = lane < count ? scale * rows[lane][d] : 0.0f;
  }
}

/// The reverse, times each lane's factor.
inline void store_lanes(const float* tile, std::int64_t d, Vec factor, float* const* rows, int count) {
  Square columns;
  each<vector_lanes>([&](int i) { columns[i] = load(tile + (d + i) * tile_lanes) * factor; });
  store_square(columns, rows, d, count);
}

void store_rows(const float* tile, std::int64_t dim, const float* factor, float* const* rows, int count) {
  for (int first = 0; first < count; first += vector_lanes) {
    const int used = count - first < vector_lanes ? count - first : vector_lanes;
    std::int64_t done = 0;
    for (; done + vector_lanes <= dim; done += vector_lanes)
      store_lanes(tile + first, done, load(factor + first), rows + first, used);
    for (int lane = first; lane < first + used; ++lane)
      for (std::int64_t d = done; d < dim; ++d) rows[lane][d] = tile[d * tile_lanes + lane] * factor[lane];
  }
}

bool all_finite(const float* tile, std::int64_t dim, int vectors) {
  // x · 0 is 0 for finite x and NaN for the others. Four sums, or each would wait for the one before.
  Row<4> sum = {Vec(0.0f), Vec(0.0f), Vec(0.0f), Vec(0.0f)};
  const auto add = [&](int i, std::int64_t d, int v) {
    sum[i] = multiply_add(load(tile + d * tile_lanes + v * vector_lanes), Vec(0.0f), sum[i]);
  };
  for (int v = 0; v < vectors; ++v) {
    std::int64_t d = 0;
    for (; d + 4 <= dim; d += 4) each<4>([&](int i) { add(i, d + i, v); });
    for (; d < dim; ++d) add(0, d, v);
  }
  return xsimd::all((sum[0] + sum[1]) + (sum[2] + sum[3]) == Vec(0.0f));
}

}  // namespace
