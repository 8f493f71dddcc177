#include "backends/tiled/decode.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "backends/tiled/cache_probe.hpp"
#include "backends/tiles/sizes.hpp"

namespace attune::tiled {

using tiles::divide_up;
using tiles::HeadRows;
using tiles::QueryTile;
using tiles::Scratch;
using tiles::TileState;

namespace {

/// A tile has two vectors of lanes, and those at least four.
constexpr int max_decode_tiles = max_decode_rows / 8;

}  // namespace

static_assert(max_decode_tiles < max_tiles_per_item);  // scratch memory for them, and for the one that joins them

struct Decode::Run {
  const Arguments& arguments;
  bool packed;
  bool at_once;  // a head's chunks are computed one after the other, those with head dims in lanes without states
  kernels::Fetch fetch;
  std::int64_t most_chunks;
  std::size_t state_floats, scratch_floats, worker_floats;
  float *scratch, *own, *states;

  HeadRows head(std::int64_t index) const noexcept {
    return tiles::head_rows(arguments, index / arguments.kv_heads, index % arguments.kv_heads);
  }

  // Each chunk of each head has a place, those of a head one after the other.
  std::int64_t places_before(std::int64_t member) const noexcept {
    if (!packed) return arguments.kv_heads * member * most_chunks;
    if (member < arguments.members)
      return arguments.kv_heads * first_packed_place(member, arguments.member(member).first_key);
    const Member last = arguments.member(member - 1);
    return arguments.kv_heads * first_packed_place(member, last.first_key + last.keys);
  }
  /// So many places has each head of the member.
  std::int64_t places_of_head(std::int64_t member) const noexcept {
    return (places_before(member + 1) - places_before(member)) / arguments.kv_heads;
  }
  std::int64_t first_place(std::int64_t head) const noexcept {
    const std::int64_t member = head / arguments.kv_heads;
    return places_before(member) + head % arguments.kv_heads * places_of_head(member);
  }
  /// The head that the place belongs to.
  std::int64_t head_of(std::int64_t place) const noexcept {
    std::int64_t member = 0;
    for (std::int64_t end = arguments.members; end - member > 1;) {
      const std::int64_t middle = member + (end - member) / 2;
      (places_before(middle) <= place ? member : end) = middle;
    }
    return member * arguments.kv_heads + (place - places_before(member)) / places_of_head(member);
  }

  float* state(std::int64_t index) const noexcept { return states + static_cast<std::size_t>(index) * state_floats; }
  float* scratch_of(int worker) const noexcept { return scratch + static_cast<std::size_t>(worker) * scratch_floats; }
  float* own_of(int worker) const noexcept { return own + static_cast<std::size_t>(worker) * worker_floats; }
};

std::int64_t Decode::chunks(std::int64_t keys) const noexcept {
  return std::max<std::int64_t>(divide_up(keys, keys_per_chunk(keys)), 1);
}

std::size_t Decode::state_floats(std::int64_t rows) const noexcept {
  const std::int64_t most = std::min<std::int64_t>(rows, most_in_lanes_);
  const std::size_t of_lanes = most > 0 ? layout_.state_floats(most) : 0;
  if (rows <= few_decode_rows && most_in_lanes_ > 0) return of_lanes;
  return std::max(of_lanes, static_cast<std::size_t>(tile_count(rows)) * tile_floats());
}

std::size_t Decode::worker_floats(std::int64_t rows) const noexcept {
  return most_in_lanes_ > 0 ? layout_.worker_floats(std::min<std::int64_t>(rows, most_in_lanes_)) : 0;
}

std::size_t Decode::floats(const Extents& extents, int num_threads) const noexcept {
  const std::int64_t rows = problem_.group() * extents.queries;
  if (rows == 0 || (rows > most_rows() && !problem_.cu_seqlens)) return 0;
  const std::int64_t taken = std::min(rows, most_rows());
  const std::int64_t places = problem_.cu_seqlens ? first_packed_place(extents.batch, extents.total_keys)
                                                  : tiles::float_count(extents.batch, most_chunks(extents.keys));
  const std::int64_t states = tiles::float_count(places, problem_.kv_heads);
  return worker_floats(taken) * static_cast<std::size_t>(num_threads) +
         static_cast<std::size_t>(tiles::float_count(static_cast<std::int64_t>(state_floats(taken)), states));
}

/// They come from memory unless all of the call's are a quarter of the last cache: what is computed between two calls,
/// and other threads, leave them no more of it. Where they are read in order, it is only what is twice as large as the
/// cache that is better read in the way for memory; and whether a cache holds what is half as large, some keys tell:
/// either mistake costs a lot (kernels/decode_rows.hpp has the figures).
kernels::Fetch Decode::fetch(const Arguments& arguments) const noexcept {
  double keys = 0;
  for (std::int64_t member = 0; member < arguments.members; ++member)
    keys += static_cast<double>(arguments.kv_heads * arguments.member(member).keys);
  const auto bytes = [&](std::int64_t dim, const TensorView& tensor) {
    return keys * static_cast<double>(dim) * static_cast<double>(size_of(tensor.dtype));
  };
  const double total = bytes(arguments.head_dim, arguments.key) + bytes(arguments.value_dim, arguments.value);
  const auto cache = static_cast<double>(last_cache_bytes_);
  if (in_order_ && total > 2 * cache) return kernels::Fetch::in_order_from_memory;
  if (in_order_ && total <= cache / 2 && keys_in_cache(arguments)) return kernels::Fetch::in_order_from_cache;
  if (in_order_) return kernels::Fetch::in_order;
  return total > cache / 4 ? kernels::Fetch::far_and_near : kernels::Fetch::far;
}

/// Two keys stand for them all.
bool Decode::keys_in_cache(const Arguments& arguments) noexcept {
  const auto in_cache = [&](std::int64_t member, std::int64_t head) {
    const Member of = arguments.member(member);
    if (of.keys == 0) return true;
    return lies_in_cache(tiles::row_address(arguments.key, of.batch, head, of.first_key + of.keys / 2));
  };
  return arguments.members > 0 && arguments.kv_heads > 0 && in_cache(0, 0) &&
         in_cache(arguments.members - 1, arguments.kv_heads - 1);
}

KeyRange Decode::chunk_keys(const HeadRows& head, std::int64_t chunk) const noexcept {
  const std::int64_t size = keys_per_chunk(head.member.keys);
  return {chunk * size, std::min((chunk + 1) * size, head.member.keys)};
}

/// Calls f(chunk, its keys) for each chunk of the head that has some of the attended keys.
template <typename F>
void Decode::for_attended_chunks(const HeadRows& head, const KeyRange& attended, F f) const noexcept {
  for (std::int64_t chunk = 0; chunk < chunks(head.member.keys); ++chunk)
    if (const KeyRange keys = chunk_keys(head, chunk); keys.end > attended.begin && keys.begin < attended.end)
      f(chunk, keys);
}

/// Are all threads busy to the end if each takes whole heads? That spares the loop that joins their chunks: 3 to 6 % of
/// a call between two Zen 5 cores that have an L3 each, 1 to 3 % between two that share one.
bool Decode::heads_come_out_even(const Arguments& arguments, int threads) const noexcept {
  if (threads == 1) return true;
  if (arguments.block_mask.data != nullptr) return false;  // heads have as many keys as it says
  std::int64_t heads = 0, all = 0, most = 0;
  for (std::int64_t member = 0; member < arguments.members; ++member) {
    const HeadRows head = tiles::head_rows(arguments, member, 0);
    const std::int64_t attended = takes(head) ? attended_chunks(arguments, head) : 0;
    if (attended == 0) continue;
    heads += arguments.kv_heads;
    all += arguments.kv_heads * attended;
    most = std::max(most, attended);
  }
  return (heads % threads == 0 && all == heads * most) || all >= 8 * threads * most;
}

/// By a query of the head, all of which attend nearly the same.
std::int64_t Decode::attended_chunks(const Arguments& arguments, const HeadRows& head) const noexcept {
  const KeyRange keys = arguments.attended_keys(head.member, head.member.queries - 1);
  const std::int64_t size = keys_per_chunk(head.member.keys);
  return keys.begin < keys.end ? (keys.end - 1) / size - keys.begin / size + 1 : 0;
}

void Decode::run(const Arguments& arguments, std::int64_t most_chunks, float* scratch, float* memory, int num_threads,
                 Executor& executor) const noexcept {
  std::int64_t rows = 0;
  bool all_in_lanes = true;
  for (std::int64_t member = 0; member < arguments.members; ++member)
    if (const HeadRows head = tiles::head_rows(arguments, member, 0); takes(head)) {
      rows = std::max(rows, head.count);
      all_in_lanes = all_in_lanes && in_lanes(head.count);
    }
  float* states = memory + worker_floats(rows) * static_cast<std::size_t>(num_threads);
  const Run run{arguments,
                problem_.cu_seqlens,
                most_chunks == 1 || heads_come_out_even(arguments, executor.num_threads()),
                fetch(arguments),
                most_chunks,
                state_floats(rows),
                scratch_.floats(),
                worker_floats(rows),
                scratch,
                memory,
                states};
  const std::int64_t heads = arguments.members * arguments.kv_heads;
  const std::int64_t items = run.places_before(arguments.members);
  // Each thread has chunks that follow each other, so that what it fetches ahead is what it reads next.
  const auto compute_item = [&](std::int64_t item, int worker) noexcept {
    compute(run, place_in_runs(item, items, executor.num_threads()), worker);
  };
  executor.parallel_for(items, compute_item);
  if (run.at_once && all_in_lanes) return;
  const auto join_item = [&](std::int64_t item, int worker) noexcept { join(run, item, worker); };
  executor.parallel_for(heads, join_item);
}

void Decode::compute(const Run& run, std::int64_t item, int worker) const noexcept {
  const std::int64_t index = run.head_of(item);
  const HeadRows head = run.head(index);
  const std::int64_t chunk = item - run.first_place(index);
  if (!takes(head) || head.count == 0 || chunk >= chunks(head.member.keys)) return;
  if (!in_lanes(head.count))
    return compute_tiles(run, head, 0, tile_count(head.count), chunk, false, run.scratch_of(worker), run.state(item));
  if (run.at_once && chunk > 0) return;
  if (run.at_once) return compute_at_once(run, head, run.own_of(worker));
  DecodeRows rows(kernels_, layout_, run.arguments, run.fetch, head, run.own_of(worker));
  rows.attend(chunk_keys(head, chunk), layout_.state(run.state(item), head.count));
}

void Decode::join(const Run& run, std::int64_t item, int worker) const noexcept {
  const HeadRows head = run.head(item);
  if (!takes(head) || head.count == 0 || (run.at_once && in_lanes(head.count))) return;
  const std::int64_t first = run.first_place(item);
  if (in_lanes(head.count)) return join_rows(run, head, run.own_of(worker), first);
  for (std::int64_t tile = 0; tile < tile_count(head.count); ++tile)
    join_tiles(run, head, tile, run.scratch_of(worker), first);
}

/// All there is to one head: its chunks' states are joined in order as they come, while they are in L1. That is 1 to 4
/// % of a long decode, since states that wait for each other wait in memory.
void Decode::compute_at_once(const Run& run, const HeadRows& head, float* own) const noexcept {
  DecodeRows rows(kernels_, layout_, run.arguments, run.fetch, head, own);
  const RowsState whole = rows.whole(), part = rows.part();
  rows.begin(whole);
  bool nothing_to_join = run.arguments.sinks.data == nullptr;
  for_attended_chunks(head, rows.keys(), [&](std::int64_t, const KeyRange& keys) {
    rows.attend(keys, nothing_to_join ? whole : part);
    if (std::exchange(nothing_to_join, false)) return;
    rows.absorb(part, whole);
  });
  rows.close(whole);
}

/// Joins the chunks' states in order.
void Decode::join_rows(const Run& run, const HeadRows& head, float* own, std::int64_t first) const noexcept {
  const DecodeRows rows(kernels_, layout_, run.arguments, run.fetch, head, own);
  const RowsState whole = rows.whole();
  rows.begin(whole);
  for_attended_chunks(head, rows.keys(), [&](std::int64_t chunk, const KeyRange&) {
    rows.absorb(layout_.state(run.state(first + chunk), head.count), whole);
  });
  rows.close(whole);
}

TileState Decode::tile_state(float* memory, std::int64_t tile) const noexcept {
  float* out = memory + static_cast<std::size_t>(tile) * tile_floats();
  float* m = out + problem_.value_dim * kernels_.lanes;
  return {out, m, m + kernels_.lanes};
}

void Decode::compute_tiles(const Run& run, const HeadRows& head, std::int64_t first, std::int64_t last,
                           std::int64_t chunk, bool careful, float* scratch, float* result) const noexcept {
  const Scratch shared = scratch_.shared(scratch);
  std::array<QueryTile, max_decode_tiles> all;
  const std::span<QueryTile> open(all.data(), static_cast<std::size_t>(last - first));
  for (std::int64_t i = first; QueryTile & tile : open) {
    tile.open(kernels_, run.arguments, head, i * kernels_.lanes, scratch_.tile(scratch, static_cast<int>(i)), shared);
    tile.keep_in(tile_state(result, i++));
    tile.reset(false);
  }
  const KeyRange keys = chunk_keys(head, chunk);
  tiles::BlockAhead following;
  if (chunk + 1 < chunks(head.member.keys))
    following = walk_.beginning(run.arguments, head, chunk_keys(head, chunk + 1));
  walk_.attend(run.arguments, head, open, keys, keys, careful, false, following, shared);
  for (QueryTile& tile : open) tile.settle();
}

/// Joins the states that the chunks have of a tile, in order; one with something that is not finite in it is computed
/// again, carefully.
void Decode::join_tiles(const Run& run, const HeadRows& head, std::int64_t tile, float* scratch,
                        std::int64_t first) const noexcept {
  const Scratch shared = scratch_.shared(scratch);
  QueryTile whole;
  whole.open(kernels_, run.arguments, head, tile * kernels_.lanes, scratch_.tile(scratch, max_decode_tiles), shared);
  for (std::int64_t chunk = 0; chunk < chunks(head.member.keys); ++chunk) {
    float* result = run.state(first + chunk);
    const TileState state = tile_state(result, tile);
    if (!kernels_.all_finite(state.out, run.arguments.value_dim, whole.vectors()))
      compute_tiles(run, head, tile, tile + 1, chunk, true, scratch, result);
    whole.absorb(state);
  }
  whole.close();
  if (run.arguments.weights.data != nullptr) walk_.write_weights(run.arguments, head, whole, shared);
}

std::string Decode::describe(const Extents& extents) const {
  const bool by_dims = in_lanes(problem_.group() * extents.queries);
  const std::string order = in_order_ ? " in order" : " in streams";
  const std::string way =
      by_dims ? " head dims in lanes, keys" + order : " tiles of " + std::to_string(kernels_.lanes) + " queries";
  return "decode; " + std::string(kernels_.name) + way + ", split into " + std::to_string(chunks(extents.keys)) +
         " chunks of " + std::to_string(keys_per_chunk(extents.keys));
}

}  // namespace attune::tiled
