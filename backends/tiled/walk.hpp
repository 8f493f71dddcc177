// The way of tiles through the blocks of keys: what whole rows and the chunks of a decode have in common.
#pragma once

#include <span>

#include <attune/arguments.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiles/key_block.hpp"
#include "backends/tiles/query_tile.hpp"

namespace attune::tiled {

struct KeyWalk {
  const kernels::Kernels& kernels;

  /// Takes the tiles over the blocks of these keys; `all` (the member's, or the chunk's that they belong to) decides
  /// where blocks begin. While a block is computed the rows of the next one are fetched, unless they are `at_hand`
  /// already, and `following` behind the last.
  void attend(const Arguments& arguments, const tiles::HeadRows& head, std::span<tiles::QueryTile> tiles,
              const KeyRange& all, const KeyRange& keys, bool careful, bool at_hand, const tiles::BlockAhead& following,
              const tiles::Scratch& shared) const noexcept;

  /// Are these keys one block?
  bool in_one_block(const Arguments& arguments, const KeyRange& all) const noexcept;

  /// The first block of these keys, to be fetched before they are walked.
  tiles::BlockAhead beginning(const Arguments& arguments, const tiles::HeadRows& head,
                              const KeyRange& keys) const noexcept;

  /// A second pass over the keys, when maximum and sum are known: the weights themselves are the only O(n²) memory.
  void write_weights(const Arguments& arguments, const tiles::HeadRows& head, const tiles::QueryTile& tile,
                     const tiles::Scratch& shared) const noexcept;
  /// The same for one block, of rows that have been cleared.
  static void write_weights(const tiles::QueryTile& tile, const tiles::KeyBlock& block,
                            const tiles::Scratch& shared) noexcept;

 private:
  /// One block: the softmax of each tile is computed beside the values of the one before.
  static void attend_together(std::span<tiles::QueryTile> tiles, const tiles::KeyBlock& block, tiles::BlockAhead ahead,
                              const tiles::Scratch& shared) noexcept;

  tiles::KeyCut cut_of(const Arguments& arguments, const KeyRange& all) const noexcept;
};

}  // namespace attune::tiled
