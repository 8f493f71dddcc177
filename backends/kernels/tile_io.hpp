// Rows in and out of tiles.
#pragma once

#include <cstring>

#include "backends/kernels/transpose.hpp"

namespace {

/// The rows of one vector of lanes; lanes from `count` on are zero.
template <bool all_lanes, typename Change>
inline void load_lanes(const float* const* rows, int count, std::int64_t dim, Change change, float* tile) {
  const float* from[vector_lanes];
  alignas(64) float number[vector_lanes];
  each<vector_lanes>([&](int i) {
    from[i] = rows[all_lanes || i < count ? i : 0];
    // One by one: g++ would load neighbouring addresses as a vector, which waits for the stores that wrote them.
    __asm__("" : "+r"(from[i]));
    number[i] = static_cast<float>(i);
  });
  const auto in_use = load(number) < Vec(static_cast<float>(count));
  std::int64_t d = 0;
  for (; d + vector_lanes <= dim; d += vector_lanes) {
    Square columns;
    load_square(from, d, columns);
    each<vector_lanes>([&](int i) {
      Vec column = change(columns[i]);
      if constexpr (!all_lanes) column = xsimd::select(in_use, column, Vec(0.0f));
      store(tile + (d + i) * tile_lanes, column);
    });
  }
  for (; d < dim; ++d)
    for (int i = 0; i < vector_lanes; ++i) {
      float element;
      std::memcpy(&element, from[i] + d, sizeof element);  // pairs of 16-bit floats are aligned to 2 bytes only
      tile[d * tile_lanes + i] = i < count ? change(element) : 0.0f;
    }
}

/// tile[d][lane] = change(rows[lane][d]) for lane < count, 0 for the other lanes of a vector that has some.
template <typename Change>
inline void load_changed_rows(const float* const* rows, int count, std::int64_t dim, Change change, float* tile) {
  for (int first = 0; first < count; first += vector_lanes) {
    const int used = count - first;
    if (used >= vector_lanes)
      load_lanes<true>(rows + first, vector_lanes, dim, change, tile + first);
    else
      load_lanes<false>(rows + first, used, dim, change, tile + first);
  }
}

void load_rows(const float* const* rows, int count, std::int64_t dim, float scale, float* tile) {
  load_changed_rows(rows, count, dim, [scale](auto x) { return x * decltype(x)(scale); }, tile);
}

/// The reverse, times each lane's factor. `check` stays 0 as long as all is finite: x · 0 is 0, or else NaN.
inline void store_lanes(const float* tile, std::int64_t d, Vec factor, float* const* rows, int count, Row<2>& check) {
  Square columns;
  each<vector_lanes>([&](int i) { columns[i] = load(tile + (d + i) * tile_lanes); });
  each<vector_lanes>([&](int i) { check[i % 2] = multiply_add(columns[i], Vec(0.0f), check[i % 2]); });
  each<vector_lanes>([&](int i) { columns[i] = columns[i] * factor; });
  store_square(columns, rows, d, count);
}

bool store_rows(const float* tile, std::int64_t dim, const float* factor, float* const* rows, int count) {
  Row<2> check = {Vec(0.0f), Vec(0.0f)};
  float scalar_check = 0.0f;
  for (int first = 0; first < count; first += vector_lanes) {
    const int used = count - first < vector_lanes ? count - first : vector_lanes;
    std::int64_t done = 0;
    for (; done + vector_lanes <= dim; done += vector_lanes)
      store_lanes(tile + first, done, load(factor + first), rows + first, used, check);
    for (int lane = first; lane < first + used; ++lane)
      for (std::int64_t d = done; d < dim; ++d) {
        const float x = tile[d * tile_lanes + lane];
        scalar_check += x * 0.0f;
        rows[lane][d] = x * factor[lane];
      }
  }
  return xsimd::all(check[0] + check[1] == Vec(0.0f)) && scalar_check == 0.0f;
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
