#include "backends/tiled/work_list.hpp"

#include <algorithm>

#include <attune/executor.hpp>

#include "backends/tiles/sizes.hpp"

namespace attune::tiled {

using tiles::divide_up;

namespace {

constexpr std::int64_t few_keys = 1024, usual_chunk = 512, most_usual_chunks = 16;

/// So many tiles, if they are to keep all threads busy until the end: as many as that allows, since each item converts
/// and reads a head's keys anew. Where later rows attend more keys, two items for each thread come out even, dealt from
/// the longest to the shortest.
std::int64_t balanced_tiles(const WorkShape& shape, std::int64_t tiles_per_head, std::int64_t most,
                            bool heaviest_last) noexcept {
  const std::int64_t heads = shape.members * shape.kv_heads, threads = shape.threads;
  if (threads == 1) return most;
  if (shape.alike && heads % threads == 0 && tiles_per_head <= most) return tiles_per_head;
  const std::int64_t tiles = heads * tiles_per_head;
  if (heads == 1 && !heaviest_last) return divide_up(tiles, threads * divide_up(tiles, threads * most));
  return tiles / (threads * (heads == 1 || (shape.alike && !heaviest_last) ? 2 : 4));
}

/// One thread takes the largest items. A head's items are of one size, but for the last.
int choose_tiles_per_item(const WorkShape& shape, std::int64_t tiles_per_head, bool heaviest_last) noexcept {
  const auto most = std::clamp<std::int64_t>(shape.rows_in_cache / shape.lanes, 1, max_tiles_per_item);
  if (shape.grain == Grain::small || tiles_per_head == 0) return 1;
  const std::int64_t wanted =
      shape.grain == Grain::large ? most : balanced_tiles(shape, tiles_per_head, most, heaviest_last);
  const std::int64_t items = divide_up(tiles_per_head, std::clamp<std::int64_t>(wanted, 1, most));
  return static_cast<int>(divide_up(tiles_per_head, items));
}

}  // namespace

WorkList::WorkList(const WorkShape& shape, bool heaviest_last) noexcept : shape_(shape), heaviest_last_(heaviest_last) {
  const std::int64_t tiles_per_head = divide_up(shape.rows, shape.lanes);
  tiles_per_item_ = choose_tiles_per_item(shape, tiles_per_head, heaviest_last);
  items_per_head_ = divide_up(tiles_per_head, tiles_per_item_);
}

Item WorkList::operator[](std::int64_t index) const noexcept {
  const Deal deal{shape_.threads};
  const std::int64_t round = deal.round(index);
  const bool in_runs = shape_.members * shape_.kv_heads >= shape_.threads;
  const std::int64_t at = in_runs ? place_in_runs(index, size(), shape_.threads) : index;
  const std::int64_t before = round == 0 ? -1 : in_runs ? at - 1 : deal.item(deal.worker(index), round - 1);
  const std::int64_t head = at / items_per_head_;
  const std::int64_t turn = at % items_per_head_;
  const std::int64_t place = heaviest_last_ ? items_per_head_ - 1 - turn : turn;
  return {head / shape_.kv_heads, head % shape_.kv_heads, place * tiles_per_item_ * shape_.lanes,
          before >= 0 && turn >= at - before};
}

std::int64_t place_in_runs(std::int64_t index, std::int64_t size, int threads) noexcept {
  const Deal deal{threads};
  const std::int64_t run = size / threads, round = deal.round(index);
  return round < run ? deal.worker(index) * run + round : index;
}

std::int64_t keys_per_chunk(std::int64_t keys) noexcept {
  // About 512 keys where there are few, so that several threads find work (256 cost 4 to 8 % more time from a cache);
  // more where there is enough of it, so that joining costs nothing and memory is read in long runs.
  const std::int64_t at_most = std::clamp(keys / most_usual_chunks, usual_chunk, max_chunk);
  const std::int64_t chunks =
      keys <= few_keys ? std::max<std::int64_t>((keys + 256) / 512, 1) : divide_up(keys, at_most);
  return std::max<std::int64_t>(divide_up(divide_up(keys, chunks), 16) * 16, 16);
}

std::int64_t most_chunks(std::int64_t keys) noexcept {
  constexpr std::int64_t usual_keys = usual_chunk * (most_usual_chunks + 1);
  return std::max({std::int64_t{1}, divide_up(std::min(keys, few_keys), 512),
                   divide_up(std::min(keys, usual_keys), usual_chunk), divide_up(keys, max_chunk)});
}

std::int64_t first_packed_place(std::int64_t member, std::int64_t first_key) noexcept {
  static_assert((few_keys + 256) / 512 <= 2);  // no more chunks have few keys
  return 2 * member + first_key / usual_chunk;
}

bool splits_keys(std::int64_t rows, int lanes, std::int64_t keys) noexcept {
  return rows <= std::max(lanes, max_decode_rows) && keys > keys_per_chunk(keys);
}

bool decodes_by_rows(std::int64_t rows, std::int64_t keys, bool in_order) noexcept {
  if (rows < 1 || rows > max_decode_rows) return false;
  return rows <= few_decode_rows || keys >= (!in_order ? 257 : rows > 24 ? 192 : 128);
}

bool fill_tiles(std::int64_t rows, int lanes, bool in_order) noexcept {
  const std::int64_t vector = lanes / 2, computed = divide_up(rows, vector) * vector;
  if (in_order && computed == vector) return false;
  return rows > few_decode_rows && (in_order && vector == 16 ? 8 * rows > 7 * computed : 4 * rows > 3 * computed);
}

}  // namespace attune::tiled
