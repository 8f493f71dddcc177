// How queries and keys are cut: pure functions of a member's own sizes, so that nothing else decides about rounding.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace attune::onednn {

/// Plans hold primitives for tiles of these sizes; what is smaller is padded.
inline constexpr std::array<std::int64_t, 3> tile_queries = {4, 16, 64};
inline constexpr std::array<std::int64_t, 2> block_keys = {32, 256};

/// Below this, waking other threads costs more than they bring.
inline constexpr double min_parallel_flops = 1e6;

/// Index of the smallest tile that holds so many rows; of the largest if none does.
constexpr std::size_t tile_for(std::int64_t rows) noexcept {
  std::size_t i = 0;
  while (i + 1 < tile_queries.size() && tile_queries[i] < rows) ++i;
  return i;
}

/// Index of the block to take where so many keys are left: a large one unless more than half of it were padding.
constexpr std::size_t block_for(std::int64_t keys_left) noexcept { return 2 * keys_left > block_keys[1] ? 1 : 0; }

constexpr std::int64_t tiles_of(std::int64_t rows) noexcept {
  return (rows + tile_queries.back() - 1) / tile_queries.back();
}

}  // namespace attune::onednn
