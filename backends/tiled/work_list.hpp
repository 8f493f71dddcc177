// How tiled cuts a call into items of work. Pure functions of sizes: nothing in here may change a bit of the
// result, only who computes it when.
#pragma once

#include <cstddef>
#include <cstdint>

namespace attune::tiled {

/// Tiles of one item.
inline constexpr int max_tiles_per_item = 16;

/// Rows of one item: more of them share each block of keys while it is in cache. Their queries and sums take half of
/// L2, and leave the other to the block.
constexpr std::int64_t rows_in_cache(std::int64_t head_dim, std::int64_t value_dim, std::size_t l2_bytes) noexcept {
  const auto row_bytes = sizeof(float) * static_cast<std::size_t>(head_dim + value_dim);
  return static_cast<std::int64_t>(l2_bytes / 2 / (row_bytes > 0 ? row_bytes : 1));
}

/// How many tiles an item takes.
enum class Grain : std::uint8_t {
  balanced,  // as many as keep all threads busy
  small,     // one tile
  large      // as many as fit
};

struct WorkShape {
  std::int64_t members = 0;
  std::int64_t kv_heads = 0;
  std::int64_t rows = 0;  // group · queries of the longest member
  int lanes = 1;          // rows of a tile
  int threads = 1;
  Grain grain = Grain::balanced;
  std::int64_t rows_in_cache = 256;  // that an item may have
  bool alike = true;                 // are all members as long as the longest?
};

/// What one item is about: tiles_per_item tiles of one (member, kv head).
struct Item {
  std::int64_t member = 0;
  std::int64_t kv_head = 0;
  std::int64_t first_row = 0;
  bool head_again = false;  // has the thread that takes it most likely just had another one of this head?
};

class WorkList {
 public:
  /// `heaviest_last`: later rows have more keys to attend (causal), so they are dealt first.
  WorkList(const WorkShape& shape, bool heaviest_last) noexcept;

  std::int64_t size() const noexcept { return shape_.members * shape_.kv_heads * items_per_head_; }
  int tiles_per_item() const noexcept { return tiles_per_item_; }

  /// To be started in this order. Each thread has heads of its own if there are enough, so that their keys and values
  /// stay in its cache.
  Item operator[](std::int64_t index) const noexcept;

 private:
  WorkShape shape_;
  bool heaviest_last_;
  int tiles_per_item_;
  std::int64_t items_per_head_;
};

/// Where an item of a loop lies if each thread that items are dealt to (attune::Deal) is to have a run of neighbours.
std::int64_t place_in_runs(std::int64_t index, std::int64_t size, int threads) noexcept;

/// Decode: the few queries of a group are no work to share out, so keys are split into chunks instead, which are joined
/// in order. Blocks are cut within a chunk, and its size is a function of what decides rounding and of nothing else.
inline constexpr std::int64_t max_chunk = 1024;
std::int64_t keys_per_chunk(std::int64_t keys) noexcept;

/// No member of so many keys, or of fewer, has more chunks.
std::int64_t most_chunks(std::int64_t keys) noexcept;

/// Where chunks of packed members have their places, one member behind the other: those of a member whose keys begin at
/// row `first_key` begin here, and what follows before those of the next is enough. So all of them take O(n).
std::int64_t first_packed_place(std::int64_t member, std::int64_t first_key) noexcept;

/// Are this member's keys split? `rows` is group · queries.
bool splits_keys(std::int64_t rows, int lanes, std::int64_t keys) noexcept;

/// The same where head dims lie in lanes (decode_rows.hpp). Rows that are few enough go that way however few their keys
/// are; more of them, but less than fill tiles well, where there are keys to read by the hundred: 256 of them, or half
/// where they are read in order (192 from 25 rows on). (128 to 256 keys on one Zen 5 core: 12 rows a third faster than
/// in tiles, 16 rows 10 % from memory; at 128 keys of bf16 that lie in L2, 16 and 24 rows lose up to a fifth, and 28
/// are left to tiles.)
inline constexpr int few_decode_rows = 8;
inline constexpr int max_decode_rows = 32;
bool decodes_by_rows(std::int64_t rows, std::int64_t keys, bool in_order) noexcept;

/// Are these more than a few rows, and so many that hardly a lane of tiles' vectors is idle? Products in tiles are then
/// the faster ones: by a sixth to a half, measured on one Zen 4 core with 16 and 32 rows. But keys in order keep more
/// rows busy than a tile of one vector does, which reads as many keys at once as it has rows of accumulators: 16 rows
/// of f32 208 GFLOP/s against 160, of bf16 366 against 286, on one Zen 5 core; and than one of two AVX-512 vectors does
/// if an eighth of its lanes is idle: 28 rows of f32 219 against 201, of f16 211 against 191, of bf16 410 against 366.
bool fill_tiles(std::int64_t rows, int lanes, bool in_order) noexcept;

/// Below this many floating point operations waking other threads costs more than it brings.
inline constexpr double min_parallel_flops = 1e6;

}  // namespace attune::tiled
