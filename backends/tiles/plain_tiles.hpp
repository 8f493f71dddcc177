// Tiles that leave nothing to decide: no option touches their scores, all keys are in one block, and what they come to
// is written at once. The kernels one after the other give the same bits as a QueryTile, and in short sequences most
// of the time between them is what a QueryTile would find out anew for each head (S = 16 on one Zen 5 core: a sixth).
#pragma once

#include <cstdint>

#include <attune/arguments.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiles/head_rows.hpp"
#include "backends/tiles/key_block.hpp"
#include "backends/tiles/scratch.hpp"

namespace attune::tiles {

class PlainTiles {
 public:
  /// Of one call. Both outlive the object.
  PlainTiles(const kernels::Kernels& kernels, const Arguments& arguments) noexcept;

  /// Are tiles over this block, which has all of their keys, plain?
  bool suits(const KeyBlock& block) const noexcept;

  /// Attends the rows first_row … of the head, as many as there are and fit, and writes them. `own` is a tile's memory.
  /// Of what is `ahead` it asks for keys alone: values are few. False when some output is NaN or infinite: then a
  /// QueryTile has to tell whether that is right.
  bool attend(const HeadRows& head, std::int64_t first_row, const KeyBlock& block, const kernels::Ahead& ahead,
              float* own, const Scratch& shared) const noexcept;

 private:
  bool attend_floats(const HeadRows& head, std::int64_t first_row, int rows, const KeyBlock& block,
                     const kernels::Ahead& ahead, float* queries, const Scratch& shared) const noexcept;
  bool attend_pairs(const HeadRows& head, std::int64_t first_row, int rows, const KeyBlock& block,
                    const kernels::Ahead& ahead, std::uint32_t* queries, const Scratch& shared) const noexcept;
  int vectors(int rows) const noexcept { return rows <= kernels_.lanes / 2 ? 1 : 2; }

  const kernels::Kernels& kernels_;
  const Arguments& arguments_;
  const kernels::PairKernels* pairs_;
  bool plain_ = false;
  float scale_ = 0;
};

}  // namespace attune::tiles
