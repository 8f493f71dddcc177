// Decode: too few queries to share a block of keys in cache. A group's rows are taken together, so that every key is
// read once and memory is the limit; the keys are split into chunks, an item of work each, whose states are joined in
// order afterwards. Source: "Flash-Decoding for long-context inference", 2023.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <attune/arguments.hpp>
#include <attune/executor.hpp>
#include <attune/problem.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiled/walk.hpp"
#include "backends/tiled/work_list.hpp"
#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/scratch.hpp"

namespace attune::tiled {

/// How a plan computes the members of which takes() is true.
class Decode {
 public:
  Decode(const kernels::Kernels& kernels, const Problem& problem, const tiles::ScratchLayout& scratch) noexcept
      : kernels_(kernels), problem_(problem), walk_{kernels}, scratch_(scratch) {}

  bool takes(std::int64_t rows, std::int64_t keys) const noexcept { return splits_keys(rows, kernels_.lanes, keys); }
  bool takes(const tiles::HeadRows& head) const noexcept { return takes(head.count, head.member.keys); }

  /// Of a member with so many keys.
  std::int64_t chunks(std::int64_t keys) const noexcept;

  /// What the states of all chunks take, beside the workers' scratch memory.
  std::size_t state_floats(const Extents& extents) const noexcept;

  /// Computes all members that it takes, none of which has more chunks than `most_chunks`.
  void run(const Arguments& arguments, std::int64_t most_chunks, float* scratch, float* states,
           Executor& executor) const noexcept;

  /// How it cuts a call, in words for people.
  std::string describe(const Extents& extents) const;

 private:
  std::int64_t chunk_size(std::int64_t keys) const noexcept { return keys_per_chunk(keys); }
  KeyRange chunk_keys(const tiles::HeadRows& head, std::int64_t chunk) const noexcept;
  std::size_t chunk_floats() const noexcept { return tiles::padded_floats((problem_.value_dim + 2) * kernels_.lanes); }
  tiles::TileState chunk_state(float* states, std::int64_t index) const noexcept;
  float* worker_scratch(float* scratch, int worker) const noexcept {
    return scratch + static_cast<std::size_t>(worker) * scratch_.floats();
  }
  void run_chunk(const Arguments& arguments, const tiles::HeadRows& head, std::int64_t chunk, float* memory,
                 const tiles::TileState& result) const noexcept;
  void join_chunks(const Arguments& arguments, const tiles::HeadRows& head, float* memory,
                   float* states) const noexcept;

  const kernels::Kernels& kernels_;
  Problem problem_;
  KeyWalk walk_;
  tiles::ScratchLayout scratch_;
};

}  // namespace attune::tiled
