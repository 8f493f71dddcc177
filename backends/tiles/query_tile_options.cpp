// What options do to a tile's scores: which rows of which mask its lanes read, and where nothing has to be done.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/rows.hpp"

namespace attune::tiles {

bool QueryTile::block_attended(const Place& at, std::int64_t begin, std::int64_t end) const noexcept {
  const TensorView& map = arguments_->block_mask;
  const std::int64_t row = index_of(map, head_->index, at.head, at.query / arguments_->block_queries);
  for (std::int64_t block = begin / arguments_->block_keys; block * arguments_->block_keys < end; ++block)
    if (map.as<std::uint8_t>()[row + block * map.strides[3]] != 0) return true;
  return false;
}

/// From the first to the last key whose block some lane attends.
KeyRange QueryTile::trimmed_to_block_mask(KeyRange keys) const noexcept {
  if (arguments_->block_mask.data == nullptr) return keys;
  KeyRange found{keys.end, keys.begin};
  Place before{-1, -1};
  for (int lane = 0; lane < rows_; ++lane) {
    const Place at = places_[static_cast<std::size_t>(lane)];
    const Place block{at.head, at.query / arguments_->block_queries};
    if (block.head == before.head && block.query == before.query) continue;
    before = block;
    for (std::int64_t key = keys.begin; key < keys.end;) {
      const std::int64_t next = std::min((key / arguments_->block_keys + 1) * arguments_->block_keys, keys.end);
      if (block_attended(at, key, next)) found = {std::min(found.begin, key), std::max(found.end, next)};
      key = next;
    }
  }
  return found.begin < found.end ? found : KeyRange{keys.begin, keys.begin};
}

/// What the next part will read of the mask: a tile sees a few cache lines of each row at a time, too few for the CPU
/// to foresee the next ones.
kernels::Ahead QueryTile::mask_ahead(const KeyBlock& part) const noexcept {
  const TensorView& mask = arguments_->mask;
  if (mask.data == nullptr) return {};
  const Place at = places_[0];
  const std::int64_t rows = mask.strides[2] == 0 ? 1 : std::min<std::int64_t>(rows_, head_->member.queries - at.query);
  return rows_ahead(mask, head_->index, at.head, at.query, rows, part.end(), part.count);
}

void QueryTile::add_mask(const KeyBlock& part, float* scores, float* row_max) const noexcept {
  const TensorView& mask = arguments_->mask;
  const bool boolean = mask.dtype == DType::boolean;
  const float* rows[max_lanes];
  std::int64_t before = -1;
  for (int lane = 0; lane < rows_; ++lane) {
    const Place at = places_[static_cast<std::size_t>(lane)];
    const std::int64_t first = index_of(mask, head_->index, at.head, at.query) + part.first * mask.strides[3];
    if (lane > 0 && first == before) {
      rows[lane] = rows[lane - 1];
      continue;
    }
    before = first;
    float* row = shared_->rows.rows + lane * shared_->rows.stride;
    rows[lane] = row;
    if (!boolean) {
      rows[lane] = read_row(*kernels_, mask, first, mask.strides[3], part.count, row);
    } else if (mask.strides[3] == 1) {
      kernels_->marks(mask.as<std::uint8_t>() + first, part.count, row);
    } else {
      for (std::int64_t key = 0; key < part.count; ++key)
        kernels_->marks(mask.as<std::uint8_t>() + first + key * mask.strides[3], 1, row + key);
    }
  }
  std::fill(rows + rows_, rows + lanes(), rows[0]);
  const auto apply = boolean ? kernels_->select_keys : kernels_->add_bias;
  apply(scores, part.count, rows, vectors_, row_max);
}

void QueryTile::add_alibi(const KeyBlock& part, float* scores, float* row_max) const noexcept {
  const TensorView& tensor = arguments_->alibi_slopes;
  alignas(64) float slopes[max_lanes] = {};
  alignas(64) float positions[max_lanes] = {};
  for (int lane = 0; lane < rows_; ++lane) {
    const Place at = places_[static_cast<std::size_t>(lane)];
    slopes[lane] = tensor.as<float>()[head_->index * tensor.strides[0] + at.head * tensor.strides[1]];
    positions[lane] = static_cast<float>(Arguments::position(head_->member, at.query) - part.first);
  }
  kernels_->alibi(scores, part.count, slopes, positions, vectors_, row_max);
}

void QueryTile::apply_block_mask(const KeyBlock& part, float* scores, float* row_max) const noexcept {
  const TensorView& map = arguments_->block_mask;
  const float* rows[max_lanes];
  Place before{-1, -1};
  bool all = true;
  for (int lane = 0; lane < rows_; ++lane) {
    const Place at = places_[static_cast<std::size_t>(lane)];
    const Place block{at.head, at.query / arguments_->block_queries};
    if (block.head == before.head && block.query == before.query) {
      rows[lane] = rows[lane - 1];
      continue;
    }
    before = block;
    const std::int64_t first = index_of(map, head_->index, at.head, block.query);
    float* row = shared_->rows.rows + lane * shared_->rows.stride;
    for (std::int64_t key = 0; key < part.count; ++key) {
      const std::int64_t key_block = (part.first + key) / arguments_->block_keys;
      const bool kept = map.as<std::uint8_t>()[first + key_block * map.strides[3]] != 0;
      all = all && kept;
      row[key] = kept ? 0.0f : -std::numeric_limits<float>::infinity();
    }
    rows[lane] = row;
  }
  if (all) return;
  std::fill(rows + rows_, rows + lanes(), rows[0]);
  kernels_->select_keys(scores, part.count, rows, vectors_, row_max);
}

void QueryTile::apply_ranges(const KeyBlock& part, float* scores, float* row_max) const noexcept {
  if (part.first >= whole_.begin && part.end() <= whole_.end) return;
  alignas(64) float begin[max_lanes];
  alignas(64) float end[max_lanes];
  for (int lane = 0; lane < lanes(); ++lane) {
    // Lanes without a query hold zeros and may attend anything.
    const auto i = static_cast<std::size_t>(lane);
    const KeyRange range = lane < rows_ ? KeyRange{lane_begin_[i], lane_end_[i]} : KeyRange{0, part.end()};
    begin[lane] = static_cast<float>(std::clamp<std::int64_t>(range.begin - part.first, 0, part.count));
    end[lane] = static_cast<float>(std::clamp<std::int64_t>(range.end - part.first, 0, part.count));
  }
  kernels_->mask(scores, part.count, begin, end, vectors_, row_max);
}

}  // namespace attune::tiles
