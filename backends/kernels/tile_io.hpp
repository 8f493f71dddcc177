// Rows in and out of tiles.
#pragma once

#include "backends/kernels/row_vector.hpp"
#include "backends/kernels/transpose.hpp"

namespace {

/// The first `count` lanes.
inline auto lanes_before(int count) {
  alignas(64) static const float lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return load(lanes) < Vec(static_cast<float>(count));
}

/// change(column) in the first `count` lanes, 0 in the others.
template <bool all_lanes, typename Change>
inline Vec lanes_of_column(Vec column, int count, Change change) {
  if constexpr (all_lanes) return change(column);
  return xsimd::select(lanes_before(count), change(column), Vec(0.0f));
}

/// Elements d … d + left − 1 of the rows, fewer than a vector has.
template <bool all_lanes, typename Change>
[[gnu::noinline]] void load_last_lanes(const float* const* rows, int count, std::int64_t d, int left, Change change,
                                       float* tile) {
  Square columns;
  each<vector_lanes>(
      [&](int i) { columns[i] = load_row_part<Element::f32>(rows[all_lanes || i < count ? i : 0] + d, left); });
  transpose(columns);
  each<vector_lanes>([&](int i) {
    if (i < left) store(tile + (d + i) * tile_lanes, lanes_of_column<all_lanes>(columns[i], count, change));
  });
}

/// The rows of one vector of lanes.
template <bool all_lanes, typename Change>
inline void load_lanes(const float* const* rows, int count, std::int64_t dim, Change change, float* tile) {
  const float* from[vector_lanes];
  each<vector_lanes>([&](int i) {
    from[i] = rows[all_lanes || i < count ? i : 0];
    // One by one: g++ would load neighbouring addresses as a vector, which waits for the stores that wrote them.
    __asm__("" : "+r"(from[i]));
  });
  std::int64_t d = 0;
  for (; d + vector_lanes <= dim; d += vector_lanes) {
    Square columns;
    load_square(from, d, columns);
    each<vector_lanes>(
        [&](int i) { store(tile + (d + i) * tile_lanes, lanes_of_column<all_lanes>(columns[i], count, change)); });
  }
  if (d < dim) load_last_lanes<all_lanes>(rows, count, d, static_cast<int>(dim - d), change, tile);
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

/// Are the first `count` lanes 0? NaN is not.
inline bool all_zero(Vec x, int count) { return xsimd::all(x == Vec(0.0f) || !lanes_before(count)); }

/// The reverse, times each lane's factor, for as many columns as a vector has lanes. `check` stays 0 as long as all is
/// finite: x · 0 is 0, or else NaN.
inline void store_lanes(const float* tile, std::int64_t d, Vec factor, float* const* rows, int count, Row<2>& check) {
  Square columns;
  each<vector_lanes>([&](int i) { columns[i] = load(tile + (d + i) * tile_lanes); });
  each<vector_lanes>([&](int i) { check[i % 2] = multiply_add(columns[i], Vec(0.0f), check[i % 2]); });
  each<vector_lanes>([&](int i) { columns[i] = columns[i] * factor; });
  store_square(columns, rows, d, count);
}

/// The last columns, fewer than that; beside them stand zeros that are not stored.
[[gnu::noinline]] void store_last_lanes(const float* tile, std::int64_t d, int left, Vec factor, float* const* rows,
                                        int count, Row<2>& check) {
  Square columns;
  each<vector_lanes>([&](int i) {
    columns[i] = i < left ? load(tile + (d + i) * tile_lanes) : Vec(0.0f);
    check[i % 2] = multiply_add(columns[i], Vec(0.0f), check[i % 2]);
    columns[i] = columns[i] * factor;
  });
  transpose(columns);
  each<vector_lanes>([&](int i) {
    if (i < count) store_row_part(rows[i] + d, columns[i], left);
  });
}

bool store_rows(const float* tile, std::int64_t dim, const float* factor, float* const* rows, int count) {
  bool finite = true;
  for (int first = 0; first < count; first += vector_lanes) {
    const int used = count - first < vector_lanes ? count - first : vector_lanes;
    Row<2> check = {Vec(0.0f), Vec(0.0f)};
    const Vec factors = load(factor + first);
    std::int64_t d = 0;
    for (; d + vector_lanes <= dim; d += vector_lanes) store_lanes(tile + first, d, factors, rows + first, used, check);
    if (d < dim) store_last_lanes(tile + first, d, static_cast<int>(dim - d), factors, rows + first, used, check);
    finite = finite && all_zero(check[0] + check[1], used);
  }
  return finite;
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
