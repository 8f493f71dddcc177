#include "backends/tiles/query_tile.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "backends/tiles/rows.hpp"
#include "backends/tiles/sizes.hpp"
#include "backends/tiles/softmax_state.hpp"

namespace attune::tiles {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

}  // namespace

std::size_t QueryTile::scratch_floats(const kernels::Kernels& kernels, std::int64_t head_dim,
                                      std::int64_t value_dim) noexcept {
  return padded_floats((head_dim + value_dim + 3) * kernels.lanes);
}

void QueryTile::open(const kernels::Kernels& kernels, const Arguments& arguments, const HeadRows& head,
                     std::int64_t first_row, float* own, const Scratch& shared) noexcept {
  kernels_ = &kernels;
  arguments_ = &arguments;
  shared_ = &shared;
  head_ = &head;
  first_row_ = first_row;
  rows_ = static_cast<int>(std::min<std::int64_t>(lanes(), head.count - first_row));
  vectors_ = rows_ <= lanes() / 2 ? 1 : 2;
  const ScoreUnits units = score_units(arguments, head.kv_head);
  natural_ = units.natural;

  at_once_ = false;
  queries_ = own;
  state_.out = queries_ + arguments.head_dim * lanes();
  state_.m = state_.out + arguments.value_dim * lanes();
  state_.l = state_.m + lanes();
  alpha_ = state_.l + lanes();
  scale_ = units.scale;
  pairs_ = pairs_for(kernels, arguments);
  softmax_scale_ = 1.0f;
  if (pairs_ != nullptr && !natural_ && scale_ > 0) std::swap(scale_, softmax_scale_);
  find_places();
  find_ranges();
  if (pairs_ != nullptr)
    load_query_pairs();
  else
    load_queries();
  reset(true);
}

void QueryTile::find_places() noexcept {
  Place at{first_row_ / head_->member.queries, first_row_ % head_->member.queries};
  at.head += head_->first_head;
  for (int lane = 0; lane < rows_; ++lane) {
    places_[static_cast<std::size_t>(lane)] = at;
    if (++at.query == head_->member.queries) at = {at.head + 1, 0};
  }
}

void QueryTile::find_rows(const TensorLayout& tensor, std::int64_t first_in_member,
                          std::int64_t* index) const noexcept {
  for_rows(tensor, *head_, first_in_member, first_row_, rows_,
           [index](std::int64_t lane, std::int64_t at) { index[lane] = at; });
}

void QueryTile::find_ranges() noexcept {
  whole_ = {0, head_->member.keys};
  attended_ = whole_;
  lower_end_ = whole_.end;
  if (!arguments_->causal && arguments_->window_left < 0 && arguments_->window_right < 0) return;
  KeyRange all{std::numeric_limits<std::int64_t>::max(), 0}, common = whole_;
  std::int64_t lower_end = 0;
  for (int lane = 0; lane < rows_; ++lane) {
    const auto i = static_cast<std::size_t>(lane);
    const KeyRange range = arguments_->attended_keys(head_->member, places_[i].query);
    lane_begin_[i] = range.begin;
    lane_end_[i] = range.end;
    if (lane < lanes() / 2) lower_end = std::max(lower_end, range.end);
    common = {std::max(common.begin, range.begin), std::min(common.end, range.end)};
    if (range.begin < range.end) all = {std::min(all.begin, range.begin), std::max(all.end, range.end)};
  }
  whole_ = common;
  attended_ = all.end == 0 ? KeyRange{} : all;
  lower_end_ = lower_end;
}

void QueryTile::load_queries() noexcept {
  const TensorView& query = arguments_->query;
  const float* rows[max_lanes];
  std::int64_t first[max_lanes];
  find_rows(query, head_->member.first_query, first);
  for (int lane = 0; lane < rows_; ++lane)
    rows[lane] = read_row(*kernels_, query, first[lane], query.strides[3], arguments_->head_dim,
                          shared_->rows.rows + lane * shared_->rows.stride);
  kernels_->load_rows(rows, rows_, arguments_->head_dim, scale_, queries_);
}

/// Pairs stay unscaled: a scaled query would be rounded to bf16 once more.
void QueryTile::load_query_pairs() noexcept {
  const TensorView& query = arguments_->query;
  const std::uint16_t* rows[max_lanes];
  std::int64_t first[max_lanes];
  find_rows(query, head_->member.first_query, first);
  for (int lane = 0; lane < rows_; ++lane) {
    const std::uint16_t* elements = query.as<std::uint16_t>() + first[lane];
    rows[lane] = elements;
    if (query.strides[3] == 1) continue;
    auto* copy = reinterpret_cast<std::uint16_t*>(shared_->rows.rows + lane * shared_->rows.stride);
    for (std::int64_t d = 0; d < arguments_->head_dim; ++d) copy[d] = elements[d * query.strides[3]];
    rows[lane] = copy;
  }
  pairs_->load_rows(rows, rows_, arguments_->head_dim, reinterpret_cast<std::uint32_t*>(queries_));
}

void QueryTile::reset(bool with_sinks) noexcept {
  fresh_ = true;
  rescale_ = false;
  written_ = false;
  std::fill_n(state_.m, lanes(), -infinity);
  std::fill_n(state_.l, lanes(), 0.0f);
  const TensorView& sinks = arguments_->sinks;
  if (!with_sinks || sinks.data == nullptr) return;
  for (int lane = 0; lane < rows_; ++lane) {
    const float sink = sinks.as<float>()[places_[static_cast<std::size_t>(lane)].head * sinks.strides[0]];
    state_.m[lane] = first_maximum(sink, natural_);
    state_.l[lane] = first_sum(sink);
  }
}

KeyRange QueryTile::wanted(KeyRange keys) const noexcept {
  keys = {std::max(keys.begin, attended_.begin), std::min(keys.end, attended_.end)};
  return keys.begin < keys.end ? trimmed_to_block_mask(keys) : keys;
}

KeyBlock QueryTile::part_of(const KeyBlock& block) const noexcept {
  const KeyRange keys = wanted({block.first, block.end()});
  if (keys.begin >= keys.end) return block.part(block.first, block.first);
  const std::int64_t begin = block.first + (keys.begin - block.first) / 4 * 4;
  const std::int64_t end = block.first + (keys.end - block.first + 3) / 4 * 4;
  return block.part(begin, std::min({end, block.end(), attended_.end}));
}

/// Ranges cut a block at its ends alone: what lies between needs no mask. Pieces are whole tiles of keys, and a score
/// does not depend on the tile it is computed in.
void QueryTile::score(const KeyBlock& part, const kernels::Ahead& ahead, float* scores, float* row_max) const noexcept {
  const std::int64_t step = kernels_->key_rows;
  const std::int64_t begin =
      std::clamp(part.first + divide_up(whole_.begin - part.first, step) * step, part.first, part.end());
  const std::int64_t end = std::clamp(part.first + (whole_.end - part.first) / step * step, begin, part.end());
  // Of a block's tiles only the first is given keys to fetch.
  const kernels::Ahead& next = ahead.rows > 0 ? ahead : mask_ahead(part);
  if (begin == end || (begin == part.first && end == part.end())) return score_part(part, next, scores, row_max);
  score_part(part.part(begin, end), next, scores + (begin - part.first) * lanes(), row_max);
  const auto add = [&](std::int64_t first, std::int64_t last) {
    if (first == last) return;
    alignas(64) float piece_max[max_lanes];
    score_part(part.part(first, last), {}, scores + (first - part.first) * lanes(), piece_max);
    for (int lane = 0; lane < vectors_ * kernels_->lanes / 2; ++lane)
      row_max[lane] = std::max(row_max[lane], piece_max[lane]);
  };
  add(part.first, begin);
  add(end, part.end());
}

/// Behind lower_end_ apply_ranges() replaces the lower vector's scores, which have not been computed.
kernels::VectorsInUse QueryTile::vectors_in_use(const KeyBlock& part) const noexcept {
  const std::int64_t step = kernels_->key_rows;
  const std::int64_t lower_keys = std::max<std::int64_t>(divide_up(lower_end_ - part.first, step) * step, 0);
  return {vectors_, lower_keys};
}

void QueryTile::score_part(const KeyBlock& part, const kernels::Ahead& ahead, float* scores,
                           float* row_max) const noexcept {
  if (pairs_ != nullptr)
    pairs_->scores(reinterpret_cast<const std::uint32_t*>(queries_), arguments_->head_dim, part.key_elements,
                   part.key_stride, part.count, scale_, vectors_in_use(part), ahead, scores, row_max);
  else
    kernels_->scores(queries_, arguments_->head_dim, part.keys, part.key_stride, part.count, vectors_in_use(part),
                     ahead, scores, row_max);
  if (arguments_->softcap > 0)
    kernels_->softcap(scores, part.count, static_cast<float>(arguments_->softcap), vectors_, row_max);
  if (arguments_->mask.data != nullptr) add_mask(part, scores, row_max);
  if (arguments_->alibi_slopes.data != nullptr) add_alibi(part, scores, row_max);
  if (arguments_->block_mask.data != nullptr) apply_block_mask(part, scores, row_max);
  apply_ranges(part, scores, row_max);
}

void QueryTile::softmax(float* scores, std::int64_t key_count, const float* row_max, bool careful) noexcept {
  if (pairs_ != nullptr)
    rescale_ = pairs_->softmax(scores, key_count, vectors_, natural_, careful, softmax_scale_, row_max, state_.m,
                               state_.l, alpha_);
  else
    rescale_ = kernels_->softmax(scores, key_count, vectors_, natural_, careful, row_max, state_.m, state_.l, alpha_);
}

void QueryTile::add_values(const float* weights, const KeyBlock& part, bool careful,
                           const kernels::Ahead& ahead) noexcept {
  if (!careful && writes_now(part)) {
    fresh_ = false;
    written_ = true;
    finite_ = write_weighted(weights, part);
    return;
  }
  if (pairs_ != nullptr) {
    pairs_->weighted_sum(reinterpret_cast<const std::uint32_t*>(weights), part.count, part.value_pairs,
                         arguments_->value_dim, vectors_in_use(part), careful, ahead, start(), alpha_, state_.out);
  } else {
    kernels_->weighted_sum(weights, part.count, part.values, part.value_stride, arguments_->value_dim,
                           vectors_in_use(part), careful, ahead, start(), alpha_, state_.out);
  }
  fresh_ = false;
  rescale_ = false;
}

void QueryTile::add_values_beside(const float* weights, const KeyBlock& part, QueryTile& other, float* scores,
                                  std::int64_t key_count, const float* row_max) noexcept {
  if (writes_now(part)) {
    other.softmax(scores, key_count, row_max, false);
    return add_values(weights, part, false, {});
  }
  const TileState& next = other.state_;
  const kernels::SoftmaxStep step{scores,  key_count, other.vectors_, other.softmax_scale_,
                                  row_max, next.m,    next.l,         other.alpha_};
  if (pairs_ != nullptr)
    other.rescale_ = pairs_->weighted_sum_and_softmax(reinterpret_cast<const std::uint32_t*>(weights), part.count,
                                                      part.value_pairs, arguments_->value_dim, vectors_in_use(part),
                                                      start(), alpha_, state_.out, step);
  else
    other.rescale_ =
        kernels_->weighted_sum_and_softmax(weights, part.count, part.values, part.value_stride, arguments_->value_dim,
                                           vectors_in_use(part), start(), alpha_, state_.out, step);
  fresh_ = false;
  rescale_ = false;
}

/// Are these all the keys of a tile that may write what they come to at once?
bool QueryTile::writes_now(const KeyBlock& part) const noexcept {
  return at_once_ && fresh_ && part.first <= attended_.begin && part.end() >= attended_.end;
}

bool QueryTile::attend(const KeyBlock& block, bool careful, const BlockAhead& ahead) noexcept {
  const KeyBlock part = part_of(block);
  if (part.count == 0) return false;
  score(part, ahead.keys, shared_->scores, shared_->row_max);
  softmax(shared_->scores, part.count, shared_->row_max, careful);
  add_values(shared_->scores, part, careful, ahead.values);
  return true;
}

void QueryTile::settle() noexcept {
  if (fresh_) std::fill_n(state_.out, arguments_->value_dim * lanes(), 0.0f);
  fresh_ = false;
}

void QueryTile::absorb(const TileState& later) noexcept {
  using kernels::Start;
  kernels_->join(later, arguments_->value_dim, vectors_, natural_, fresh_ ? Start::zero : Start::rescale, state_);
  fresh_ = false;
}

}  // namespace attune::tiles
