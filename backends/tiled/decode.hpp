// Decode: too few queries to share a block of keys in cache. A group's rows are taken together, so that every key is
// read once and memory is the limit; the keys are split into chunks whose states are joined in order. Each is an item
// of work, or all of a head where heads are enough for all threads. Source: "Flash-Decoding for long-context
// inference", 2023.
//
// They are computed in one of two ways: with head dims in lanes (decode_rows.hpp), or in tiles, where weights are
// wanted, the tiling says so, or rows fill their vectors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include <attune/arguments.hpp>
#include <attune/executor.hpp>
#include <attune/machine.hpp>
#include <attune/problem.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiled/decode_rows.hpp"
#include "backends/tiled/tiling.hpp"
#include "backends/tiled/walk.hpp"
#include "backends/tiled/work_list.hpp"
#include "backends/tiles/key_block.hpp"
#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/scratch.hpp"
#include "backends/tiles/sizes.hpp"

namespace attune::tiled {

/// How a plan computes the members of which takes() is true.
class Decode {
 public:
  Decode(const kernels::Kernels& kernels, const Problem& problem, const Tiling& tiling,
         const tiles::ScratchLayout& scratch, const Machine& machine) noexcept
      : kernels_(kernels),
        problem_(problem),
        few_rows_(tiling.few_rows),
        most_in_lanes_(most_rows_in_lanes(problem, tiling.few_rows)),
        walk_{kernels},
        scratch_(scratch),
        layout_(kernels, problem),
        in_order_(tiling.key_order == KeyOrder::by_machine ? reads_in_order(machine)
                                                           : tiling.key_order == KeyOrder::in_order),
        last_cache_bytes_(machine.l3_bytes) {}

  /// So many rows of a head may have their head dims in lanes.
  static int most_rows_in_lanes(const Problem& problem, FewRows few_rows = FewRows::by_size) noexcept {
    return problem.weights || few_rows == FewRows::in_query_lanes ? 0 : max_decode_rows;
  }

  bool takes(std::int64_t rows, std::int64_t keys) const noexcept {
    if (in_lanes(rows)) return few_rows_ == FewRows::in_dim_lanes ? rows >= 1 : decodes_by_rows(rows, keys, in_order_);
    return splits_keys(rows, kernels_.lanes, keys);
  }
  bool takes(const tiles::HeadRows& head) const noexcept { return takes(head.count, head.member.keys); }

  /// Of a member with so many keys.
  std::int64_t chunks(std::int64_t keys) const noexcept;

  /// What it needs beside the workers' scratch memory of the plan.
  std::size_t floats(const Extents& extents, int num_threads) const noexcept;

  /// Computes all members that it takes, none of which has more chunks than `most_chunks`. `scratch` is the plan's,
  /// `memory` its own; the executor has at most num_threads threads.
  void run(const Arguments& arguments, std::int64_t most_chunks, float* scratch, float* memory, int num_threads,
           Executor& executor) const noexcept;

  /// How it cuts a call, in words for people.
  std::string describe(const Extents& extents) const;

 private:
  struct Run;  // of a call

  /// Of keys and values.
  kernels::Fetch fetch(const Arguments& arguments) const noexcept;
  static bool keys_in_cache(const Arguments& arguments) noexcept;
  bool heads_come_out_even(const Arguments& arguments, int threads) const noexcept;
  std::int64_t attended_chunks(const Arguments& arguments, const tiles::HeadRows& head) const noexcept;
  KeyRange chunk_keys(const tiles::HeadRows& head, std::int64_t chunk) const noexcept;
  template <typename F>
  void for_attended_chunks(const tiles::HeadRows& head, const KeyRange& attended, F f) const noexcept;
  /// Of a head with at most so many rows.
  std::size_t state_floats(std::int64_t rows) const noexcept;
  std::size_t worker_floats(std::int64_t rows) const noexcept;
  bool in_lanes(std::int64_t rows) const noexcept {
    return rows <= most_in_lanes_ && !(few_rows_ == FewRows::by_size && fill_tiles(rows, kernels_.lanes, in_order_));
  }
  std::int64_t most_rows() const noexcept { return std::max(max_decode_rows, kernels_.lanes); }
  std::int64_t tile_count(std::int64_t rows) const noexcept { return (rows + kernels_.lanes - 1) / kernels_.lanes; }

  void compute(const Run& run, std::int64_t item, int worker) const noexcept;
  void join(const Run& run, std::int64_t item, int worker) const noexcept;
  void compute_at_once(const Run& run, const tiles::HeadRows& head, float* own) const noexcept;
  void join_rows(const Run& run, const tiles::HeadRows& head, float* own, std::int64_t first) const noexcept;

  // In tiles.
  std::size_t tile_floats() const noexcept { return tiles::padded_floats((problem_.value_dim + 2) * kernels_.lanes); }
  tiles::TileState tile_state(float* memory, std::int64_t tile) const noexcept;
  /// The head's tiles from `first` to before `last`.
  void compute_tiles(const Run& run, const tiles::HeadRows& head, std::int64_t first, std::int64_t last,
                     std::int64_t chunk, bool careful, float* scratch, float* result) const noexcept;
  void join_tiles(const Run& run, const tiles::HeadRows& head, std::int64_t tile, float* scratch,
                  std::int64_t first) const noexcept;

  const kernels::Kernels& kernels_;
  Problem problem_;
  FewRows few_rows_;
  int most_in_lanes_;
  KeyWalk walk_;
  tiles::ScratchLayout scratch_;
  RowsLayout layout_;
  bool in_order_;
  std::size_t last_cache_bytes_;
};

}  // namespace attune::tiled
