// How many rows (keys of a score tile, columns of a value tile) are multiplied at once.
#pragma once

#include <cstdint>

#include "backends/kernels/vector.hpp"

namespace {

/// One vector of lanes takes twice the rows of two: as many sums are on their way, where half of them would leave
/// multiply-adds to wait for each other (vdpbf16ps takes six cycles on Zen 5, and two begin in each: 385 -> 463
/// GFLOP/s), and a vector of lanes is loaded half as often.
template <int V>
constexpr int rows_of_tile = 2 * tile_rows / V;

/// Calls f.operator()<R>(first row) for each tile of R rows that `count` rows fill; returns how many they have.
template <int V, typename F>
[[gnu::always_inline]] inline std::int64_t for_whole_tiles(std::int64_t count, F f) {
  std::int64_t row = 0;
  for (; row + rows_of_tile<V> <= count; row += rows_of_tile<V>) f.template operator()<rows_of_tile<V>>(row);
  if constexpr (V == 1)
    if (row + tile_rows <= count) {
      f.template operator()<tile_rows>(row);
      row += tile_rows;
    }
  return row;
}

/// Those tiles, and one for the rows that are left.
template <int V>
constexpr std::int64_t count_tiles(std::int64_t rows) {
  const bool half = V == 1 && rows % rows_of_tile<V> >= tile_rows;
  return rows / rows_of_tile<V> + (half ? 1 : 0) + 1;
}

/// R rows at a stride, read side by side: step(r, address) for each. Four rows share a base; left to itself g++ keeps a
/// register for each, which for sixteen are more than there are.
template <int R, typename T, typename Step>
[[gnu::always_inline]] inline void each_row(const T* rows, std::int64_t stride, std::int64_t thrice, Step step) {
#pragma GCC unroll 4
  for (int four = 0; four < R; four += 4) {
    const T* at = rows + four * stride;
    __asm__("" : "+r"(at));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
      if (four + i < R) step(four + i, at + (i == 3 ? thrice : i * stride));
  }
}

/// 3 · stride for each_row(), in a register of its own.
inline std::int64_t thrice(std::int64_t stride) {
  std::int64_t result = 3 * stride;
  __asm__("" : "+r"(result));
  return result;
}

}  // namespace
