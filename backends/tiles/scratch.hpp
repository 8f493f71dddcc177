// How a worker's scratch memory is divided.
#pragma once

#include <cstddef>
#include <cstdint>

#include <attune/problem.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiles/rows.hpp"

namespace attune::tiles {

/// What the tiles of one thread use in turn.
struct Scratch {
  float* scores = nullptr;   // [keys][lanes]
  float* others = nullptr;   // the same for another tile, where the layout was asked for it
  float* row_max = nullptr;  // [lanes]
  float* copy = nullptr;     // of a block of keys and values
  RowScratch rows;           // of query, out, weights or mask on their way from or to the tensors
};

/// What it has to hold at a time.
struct ScratchNeeds {
  int tiles = 1;
  std::int64_t block_keys = 0;   // that a tile attends in one step
  std::int64_t score_keys = 0;   // whose scores are kept
  std::int64_t copied_keys = 0;  // that key_block() is asked for at once
  bool of_two_tiles = false;     // scores of two tiles at a time
};

class ScratchLayout {
 public:
  ScratchLayout(const kernels::Kernels& kernels, const Problem& problem, const ScratchNeeds& needs) noexcept;

  std::size_t floats() const noexcept { return floats_; }
  Scratch shared(float* memory) const noexcept;
  float* tile(float* memory, int index) const noexcept {
    return memory + static_cast<std::size_t>(index) * tile_floats_;
  }

 private:
  std::int64_t row_floats_;
  std::size_t tile_floats_, rows_, scores_, others_, row_max_, copy_, floats_;  // offsets, and the whole
};

}  // namespace attune::tiles
