#include "backends/tiled/decode.hpp"

#include <algorithm>

#include "backends/tiled/work_list.hpp"

namespace attune::tiled {

using tiles::HeadRows;
using tiles::QueryTile;
using tiles::Scratch;
using tiles::TileState;

namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) noexcept { return (a + b - 1) / b; }

}  // namespace

std::int64_t Decode::chunks(std::int64_t keys) const noexcept { return divide_up(keys, chunk_size(keys)); }

std::size_t Decode::state_floats(const Extents& extents) const noexcept {
  // Any member may be as long as the longest, or just short enough for small chunks.
  if (problem_.group() * extents.queries == 0 || extents.keys == 0) return 0;
  const std::int64_t small = chunk_size(1);
  const std::int64_t most_in_small = divide_up(std::min(extents.keys, 8 * small), small);
  const std::int64_t most = std::max(chunks(extents.keys), most_in_small);
  const bool may_split = extents.queries * problem_.group() <= kernels_.lanes || problem_.cu_seqlens;
  return may_split ? chunk_floats() * static_cast<std::size_t>(extents.batch * problem_.kv_heads * most) : 0;
}

TileState Decode::chunk_state(float* states, std::int64_t index) const noexcept {
  float* memory = states + static_cast<std::size_t>(index) * chunk_floats();
  float* m = memory + problem_.value_dim * kernels_.lanes;
  return {memory, m, m + kernels_.lanes};
}

KeyRange Decode::chunk_keys(const HeadRows& head, std::int64_t chunk) const noexcept {
  const std::int64_t size = chunk_size(head.member.keys);
  return {chunk * size, std::min((chunk + 1) * size, head.member.keys)};
}

void Decode::run(const Arguments& arguments, std::int64_t most_chunks, float* scratch, float* states,
                 Executor& executor) const noexcept {
  const std::int64_t heads = arguments.members * arguments.kv_heads;
  const auto head_of = [&](std::int64_t index) {
    return tiles::head_rows(arguments, index / arguments.kv_heads, index % arguments.kv_heads);
  };
  const auto compute = [&](std::int64_t item, int worker) noexcept {
    const HeadRows head = head_of(item / most_chunks);
    const std::int64_t chunk = item % most_chunks;
    if (!takes(head) || head.count == 0 || chunk_keys(head, chunk).begin >= head.member.keys) return;
    run_chunk(arguments, head, chunk, worker_scratch(scratch, worker), chunk_state(states, item));
  };
  executor.parallel_for(heads * most_chunks, compute);
  const auto join = [&](std::int64_t item, int worker) noexcept {
    const HeadRows head = head_of(item);
    if (!takes(head) || head.count == 0) return;
    join_chunks(arguments, head, worker_scratch(scratch, worker),
                states + static_cast<std::size_t>(item * most_chunks) * chunk_floats());
  };
  executor.parallel_for(heads, join);
}

void Decode::run_chunk(const Arguments& arguments, const HeadRows& head, std::int64_t chunk, float* memory,
                       const TileState& result) const noexcept {
  const Scratch shared = scratch_.shared(memory);
  QueryTile tile;
  tile.open(kernels_, arguments, head, 0, scratch_.tile(memory, 0), shared);
  tile.reset(false);
  const KeyRange keys = chunk_keys(head, chunk);
  walk_.attend(arguments, head, {&tile, 1}, keys, keys, false, {}, shared);
  tile.save(result);
}

/// Joins the chunks' states in order; one with something that is not finite in it is computed again, carefully.
void Decode::join_chunks(const Arguments& arguments, const HeadRows& head, float* memory,
                         float* states) const noexcept {
  const Scratch shared = scratch_.shared(memory);
  QueryTile whole;
  whole.open(kernels_, arguments, head, 0, scratch_.tile(memory, 0), shared);
  for (std::int64_t chunk = 0; chunk < chunks(head.member.keys); ++chunk) {
    const TileState state = chunk_state(states, chunk);
    if (!kernels_.all_finite(state.out, arguments.value_dim, whole.vectors())) {
      QueryTile part;
      part.open(kernels_, arguments, head, 0, scratch_.tile(memory, 1), shared);
      part.reset(false);
      const KeyRange keys = chunk_keys(head, chunk);
      walk_.attend(arguments, head, {&part, 1}, keys, keys, true, {}, shared);
      part.save(state);
    }
    whole.absorb(state);
  }
  whole.close();
  if (arguments.weights.data != nullptr) walk_.write_weights(arguments, head, whole, shared);
}

std::string Decode::describe(const Extents& extents) const {
  return "decode; " + std::string(kernels_.name) + " tiles of " + std::to_string(kernels_.lanes) +
         " queries, keys split into " + std::to_string(chunks(extents.keys)) + " chunks of " +
         std::to_string(chunk_size(extents.keys));
}

}  // namespace attune::tiled
