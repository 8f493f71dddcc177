#include "backends/tiled/decode_rows.hpp"

#include <algorithm>
#include <limits>

#include "backends/tiles/key_block.hpp"
#include "backends/tiles/rows.hpp"
#include "backends/tiles/sizes.hpp"

namespace attune::tiled {

using kernels::Element;
using kernels::StoredRows;
using tiles::index_of;
using tiles::rounded_up;
using tiles::row_address;

namespace {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

/// Keys or values that are copied at a time where their elements do not follow each other. The kernel's turns must not
/// be cut by it, or sums would have other bits.
constexpr std::int64_t copied_rows = kernels::most_values_in_turn;

/// Scores beyond a chunk's last that the kernel may write.
constexpr std::int64_t score_slack = 64;

Element element_of(DType dtype) noexcept {
  return dtype == DType::f32 ? Element::f32 : dtype == DType::f16 ? Element::f16 : Element::bf16;
}

/// By PairKernels::read_scores.
constexpr int rows_read_at_once = 8;

/// Fewer keys fit a page or two.
constexpr std::int64_t fewest_keys_in_streams = 64;

/// Where these keys are among those of a chunk.
KeyRange places_of(KeyRange keys, KeyRange chunk) noexcept {
  const auto place = [&](std::int64_t key) {
    return std::clamp<std::int64_t>(key - chunk.begin, 0, chunk.end - chunk.begin);
  };
  return {place(keys.begin), place(keys.end)};
}

template <typename T>
void gather(const T* from, std::int64_t stride, std::int64_t count, T* to) noexcept {
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
}

}  // namespace

RowsLayout::RowsLayout(const kernels::Kernels& kernels, const Problem& problem) noexcept
    : query_pitch(rounded_up(problem.head_dim, std::max(16, kernels.lanes))),
      value_pitch(rounded_up(problem.value_dim, std::max(16, kernels.lanes))),
      score_pitch(max_chunk + score_slack),
      copy_floats(std::max(copied_rows * std::max(query_pitch, value_pitch), score_pitch)) {}

std::size_t RowsLayout::state_floats(std::int64_t rows) const noexcept {
  return tiles::padded_floats(kernels::rows_of_pairs(rows) * (value_pitch + 2));
}

RowsState RowsLayout::state(float* memory, std::int64_t rows) const noexcept {
  const std::int64_t computed = kernels::rows_of_pairs(rows);
  float* m = memory + computed * value_pitch;
  return {memory, m, m + computed};
}

std::size_t RowsLayout::worker_floats(std::int64_t rows) const noexcept {
  const std::int64_t of_rows = kernels::rows_of_pairs(rows) * (query_pitch + score_pitch);
  return static_cast<std::size_t>(of_rows + rows_read_at_once * score_pitch + copy_floats) + 2 * state_floats(rows);
}

DecodeRows::DecodeRows(const kernels::Kernels& kernels, const RowsLayout& layout, const Arguments& arguments,
                       kernels::Fetch fetch, const tiles::HeadRows& head, float* memory) noexcept
    : kernels_(kernels),
      pairs_(tiles::pairs_for(kernels, arguments)),
      layout_(layout),
      arguments_(arguments),
      fetch_(fetch),
      head_(head),
      count_(static_cast<int>(head.count)),
      computed_(pairs_ != nullptr ? static_cast<int>(kernels::rows_of_pairs(count_)) : count_),
      units_(tiles::score_units(arguments, head.kv_head)),
      queries_(memory),
      scores_(queries_ + computed_ * layout.query_pitch),
      scores_by_row_(scores_ + computed_ * layout.score_pitch),
      copy_(scores_by_row_ + rows_read_at_once * layout.score_pitch),
      whole_(layout.state(copy_ + layout.copy_floats, head.count)),
      part_(layout.state(copy_ + layout.copy_floats + layout.state_floats(head.count), head.count)) {
  find_rows();
}

void DecodeRows::find_rows() noexcept {
  attended_ = {std::numeric_limits<std::int64_t>::max(), 0};
  for (int r = 0; r < count_; ++r) {
    Row& row = rows_[static_cast<std::size_t>(r)];
    row.head = head_.first_head + r / head_.member.queries;
    row.query = r % head_.member.queries;
    row.keys = arguments_.attended_keys(head_.member, row.query);
    if (row.keys.begin < row.keys.end)
      attended_ = {std::min(attended_.begin, row.keys.begin), std::max(attended_.end, row.keys.end)};
  }
  if (attended_.end == 0) attended_ = {};
}

void DecodeRows::load_queries() noexcept {
  if (loaded_) return;
  loaded_ = true;
  const TensorView& query = arguments_.query;
  const std::int64_t dim = arguments_.head_dim, stride = query.strides[3];
  if (computed_ > count_) std::fill_n(queries_, computed_ * layout_.query_pitch, 0.0f);
  for (int r = 0; r < count_; ++r) {
    const Row& row = rows_[static_cast<std::size_t>(r)];
    const std::int64_t first = index_of(query, head_.member.batch, row.head, head_.member.first_query + row.query);
    if (pairs_ == nullptr) {
      const float* read = tiles::read_row(kernels_, query, first, stride, dim, copy_);
      kernels_.decode->load_query(read, dim, units_.scale, element_of(arguments_.key.dtype), r, count_,
                                  layout_.query_pitch, queries_);
      continue;
    }
    const std::uint16_t* read = query.as<std::uint16_t>() + first;
    if (stride != 1) {
      auto* gathered = reinterpret_cast<std::uint16_t*>(copy_);
      gather(read, stride, dim, gathered);
      read = gathered;
    }
    pairs_->load_decode_query(read, dim, r, computed_, pair_query_pitch(), reinterpret_cast<std::uint16_t*>(queries_));
  }
}

/// Calls f(keys, attended) for the part of each of the block map's blocks that lies among these keys.
template <typename F>
void DecodeRows::for_blocks(const Row& row, KeyRange keys, F f) const noexcept {
  const TensorView& map = arguments_.block_mask;
  const std::int64_t first = index_of(map, head_.index, row.head, row.query / arguments_.block_queries);
  for (std::int64_t key = keys.begin; key < keys.end;) {
    const std::int64_t block = key / arguments_.block_keys;
    const std::int64_t next = std::min((block + 1) * arguments_.block_keys, keys.end);
    f(KeyRange{key, next}, map.as<std::uint8_t>()[first + block * map.strides[3]] != 0);
    key = next;
  }
}

/// These keys without what no row attends at either end.
KeyRange DecodeRows::wanted(KeyRange keys) const noexcept {
  keys = {std::max(keys.begin, attended_.begin), std::min(keys.end, attended_.end)};
  if (arguments_.block_mask.data == nullptr || keys.begin >= keys.end) return keys;
  KeyRange found{keys.end, keys.begin};
  for (int r = 0; r < count_; ++r)
    for_blocks(rows_[static_cast<std::size_t>(r)], keys, [&](KeyRange block, bool attended) {
      if (attended) found = {std::min(found.begin, block.begin), std::max(found.end, block.end)};
    });
  return found;
}

/// Calls f(rows, first) for these keys' rows of the tensor: where they are, or in copied pieces.
template <typename F>
void DecodeRows::for_stored(const TensorView& tensor, KeyRange keys, F f) noexcept {
  const std::int64_t dim = tensor.shape[3];
  const Element element = element_of(tensor.dtype);
  const std::int64_t first_row = head_.member.first_key;
  const std::int64_t batch = head_.member.batch;
  if (tensor.strides[3] == 1 || dim <= 1) {
    const void* data = row_address(tensor, batch, head_.kv_head, first_row + keys.begin);
    f(StoredRows{data, tensor.strides[2], keys.end - keys.begin, element, nullptr, fetch_, in_streams_},
      std::int64_t{0});
    return;
  }
  const auto copy_row = [&](std::int64_t key, std::int64_t row) {
    const void* from = row_address(tensor, batch, head_.kv_head, first_row + key);
    if (element == Element::f32)
      gather(static_cast<const float*>(from), tensor.strides[3], dim, copy_ + row * dim);
    else
      gather(static_cast<const std::uint16_t*>(from), tensor.strides[3], dim,
             reinterpret_cast<std::uint16_t*>(copy_) + row * dim);
  };
  const std::int64_t count = keys.end - keys.begin;
  for (std::int64_t first = 0; first < count; first += copied_rows) {
    const std::int64_t rows = std::min(copied_rows, count - first);
    for (std::int64_t row = 0; row < rows; ++row)
      copy_row(keys.begin + (in_streams_ ? kernels::place_in_streams(first + row, count) : first + row), row);
    f(StoredRows{copy_, dim, rows, element, nullptr, kernels::Fetch::far, false}, first);
  }
}

/// Where `after` has the rows that will be read when those of `tensor` have been, if it is alike.
const void* DecodeRows::upcoming(const TensorView& tensor, const TensorView& after, std::int64_t key) const noexcept {
  const bool alike = tensor.dtype == after.dtype && tensor.strides[2] == after.strides[2];
  return alike ? row_address(after, head_.member.batch, head_.kv_head, head_.member.first_key + key) : nullptr;
}

/// May these keys be taken in any order, and should they? Not where something goes by a key's place.
bool DecodeRows::may_stream(KeyRange keys) const noexcept {
  if (kernels::in_order(fetch_) || keys.end - keys.begin < fewest_keys_in_streams || arguments_.mask.data != nullptr ||
      arguments_.alibi_slopes.data != nullptr)
    return false;
  bool all = true;
  for (int r = 0; r < count_ && all; ++r) {
    const Row& row = rows_[static_cast<std::size_t>(r)];
    all = row.keys.begin <= keys.begin && row.keys.end >= keys.end;
    if (arguments_.block_mask.data != nullptr) for_blocks(row, keys, [&](KeyRange, bool attended) { all &= attended; });
  }
  return all;
}

void DecodeRows::score(KeyRange keys) noexcept {
  load_queries();
  in_streams_ = may_stream(keys);
  for_stored(arguments_.key, keys, [&](StoredRows stored, std::int64_t first) {
    stored.next = upcoming(arguments_.key, arguments_.value, keys.begin);
    if (pairs_ != nullptr)
      pairs_->decode_scores(reinterpret_cast<const std::uint16_t*>(queries_), computed_, pair_query_pitch(),
                            arguments_.head_dim, units_.scale, stored, first, scores_, layout_.score_pitch);
    else
      kernels_.decode->scores(queries_, count_, layout_.query_pitch, arguments_.head_dim, stored, scores_ + first,
                              layout_.score_pitch);
  });
  change_scores(keys);
}

void DecodeRows::change_scores(KeyRange keys) noexcept {
  if (pairs_ != nullptr) return change_pair_scores(keys);
  for (int r = 0; r < count_; ++r)
    apply_options(rows_[static_cast<std::size_t>(r)], keys, scores_ + r * layout_.score_pitch);
}

void DecodeRows::change_pair_scores(KeyRange keys) noexcept {
  const std::int64_t count = keys.end - keys.begin, pitch = layout_.score_pitch;
  if (arguments_.softcap > 0 || arguments_.mask.data != nullptr || arguments_.alibi_slopes.data != nullptr ||
      arguments_.block_mask.data != nullptr) {
    for (int first = 0; first < count_; first += rows_read_at_once) {
      pairs_->read_scores(scores_, computed_, pitch, first, count, scores_by_row_);
      for (int r = first; r < std::min(first + rows_read_at_once, count_); ++r)
        apply_options(rows_[static_cast<std::size_t>(r)], keys, scores_by_row_ + (r - first) * pitch);
      pairs_->write_scores(scores_by_row_, computed_, pitch, first, count, scores_);
    }
    return;
  }
  for (int r = 0; r < count_; ++r) {
    const KeyRange attended = places_of(rows_[static_cast<std::size_t>(r)].keys, keys);
    pairs_->hide_keys(scores_, computed_, pitch, r, 0, attended.begin);
    pairs_->hide_keys(scores_, computed_, pitch, r, attended.end, count);
  }
}

void DecodeRows::apply_options(const Row& row, KeyRange keys, float* scores) noexcept {
  const std::int64_t count = keys.end - keys.begin;
  if (arguments_.softcap > 0) kernels_.decode->softcap(scores, count, static_cast<float>(arguments_.softcap));
  if (arguments_.mask.data != nullptr) add_mask(row, keys, scores);
  if (const TensorView& slopes = arguments_.alibi_slopes; slopes.data != nullptr) {
    const float slope = slopes.as<float>()[head_.index * slopes.strides[0] + row.head * slopes.strides[1]];
    const std::int64_t position = Arguments::position(head_.member, row.query) - keys.begin;
    kernels_.decode->alibi(scores, count, slope, static_cast<float>(position));
  }
  if (arguments_.block_mask.data != nullptr)
    for_blocks(row, keys, [&](KeyRange block, bool attended) {
      if (!attended) std::fill(scores + block.begin - keys.begin, scores + block.end - keys.begin, minus_infinity);
    });
  const KeyRange attended = places_of(row.keys, keys);
  std::fill(scores, scores + attended.begin, minus_infinity);
  std::fill(scores + attended.end, scores + count, minus_infinity);
}

void DecodeRows::add_mask(const Row& row, KeyRange keys, float* scores) noexcept {
  const TensorView& mask = arguments_.mask;
  const std::int64_t count = keys.end - keys.begin;
  const std::int64_t first = index_of(mask, head_.index, row.head, row.query) + keys.begin * mask.strides[3];
  if (mask.dtype != DType::boolean) {
    const float* bias = tiles::read_row(kernels_, mask, first, mask.strides[3], count, copy_);
    return kernels_.decode->add_bias(scores, count, bias);
  }
  const std::uint8_t* keep = mask.as<std::uint8_t>() + first;
  if (mask.strides[3] == 1) {
    kernels_.marks(keep, count, copy_);
  } else {
    for (std::int64_t key = 0; key < count; ++key) copy_[key] = keep[key * mask.strides[3]] ? 0.0f : minus_infinity;
  }
  kernels_.decode->select_keys(scores, count, copy_);
}

void DecodeRows::softmax(KeyRange keys, const RowsState& result) noexcept {
  const std::int64_t count = keys.end - keys.begin, padded = rounded_up(count, kernels_.lanes);
  if (pairs_ != nullptr)
    return pairs_->decode_softmax(scores_, computed_, layout_.score_pitch, count, units_.natural, result.m, result.l);
  for (int r = 0; r < count_; ++r) {
    float* scores = scores_ + r * layout_.score_pitch;
    std::fill(scores + count, scores + padded, minus_infinity);
    kernels_.decode->softmax(scores, padded, units_.natural, result.m + r, result.l + r);
  }
}

void DecodeRows::sum_values(KeyRange keys, bool careful, const RowsState& result) noexcept {
  std::fill_n(result.sums, computed_ * layout_.value_pitch, 0.0f);
  if (arguments_.value_dim == 0) return;
  for_stored(arguments_.value, keys, [&](StoredRows stored, std::int64_t first) {
    stored.next = upcoming(arguments_.value, arguments_.key, keys.end);
    if (pairs_ != nullptr)
      pairs_->decode_weighted_sum(scores_, computed_, layout_.score_pitch, first, stored, arguments_.value_dim, careful,
                                  result.sums, layout_.value_pitch);
    else
      kernels_.decode->weighted_sum(scores_ + first, count_, layout_.score_pitch, stored, arguments_.value_dim, careful,
                                    result.sums, layout_.value_pitch);
  });
}

void DecodeRows::attend(KeyRange chunk, const RowsState& result) noexcept {
  const KeyRange keys = wanted(chunk);
  if (keys.begin >= keys.end) {
    std::fill_n(result.sums, count_ * layout_.value_pitch, 0.0f);
    std::fill_n(result.m, count_, minus_infinity);
    std::fill_n(result.l, count_, 0.0f);
    return;
  }
  score(keys);
  softmax(keys, result);
  sum_values(keys, false, result);
  // Something that is not finite may be right, or a product of weight 0 and a value that its row does not attend.
  if (!kernels_.all_finite(result.sums, count_ * layout_.value_pitch / kernels_.lanes, 2))
    sum_values(keys, true, result);
}

void DecodeRows::begin(const RowsState& state) const noexcept {
  std::fill_n(state.sums, count_ * layout_.value_pitch, 0.0f);
  const TensorView& sinks = arguments_.sinks;
  for (int r = 0; r < count_; ++r) {
    state.m[r] = minus_infinity;
    state.l[r] = 0.0f;
    if (sinks.data == nullptr) continue;
    const float sink = sinks.as<float>()[rows_[static_cast<std::size_t>(r)].head * sinks.strides[0]];
    state.m[r] = tiles::first_maximum(sink, units_.natural);
    state.l[r] = tiles::first_sum(sink);
  }
}

void DecodeRows::absorb(const RowsState& later, const RowsState& state) const noexcept {
  for (int r = 0; r < count_; ++r) {
    const float joint = std::max(state.m[r], later.m[r]);
    const float mine = tiles::rescaling(state.m[r], joint, units_.natural);
    const float theirs = tiles::rescaling(later.m[r], joint, units_.natural);
    state.m[r] = joint;
    state.l[r] = state.l[r] * mine + later.l[r] * theirs;
    kernels_.decode->join(state.sums + r * layout_.value_pitch, mine, later.sums + r * layout_.value_pitch, theirs,
                          layout_.value_pitch);
  }
}

void DecodeRows::close(const RowsState& state) const noexcept {
  for (int r = 0; r < count_; ++r) {
    const Row& row = rows_[static_cast<std::size_t>(r)];
    const std::int64_t query = head_.member.first_query + row.query;
    float* sums = state.sums + r * layout_.value_pitch;
    if (pairs_ != nullptr) pairs_->columns_in_order(sums, arguments_.value_dim);
    const float factor = state.l[r] == 0.0f ? 0.0f : 1.0f / state.l[r];
    for (std::int64_t c = 0; c < arguments_.value_dim; ++c) sums[c] *= factor;
    const std::int64_t first = index_of(arguments_.out, head_.member.batch, row.head, query);
    if (arguments_.value_dim > 0) tiles::write_row(kernels_, sums, arguments_.out, first, arguments_.value_dim);
    if (const MutableTensorView& lse = arguments_.lse; lse.data != nullptr)
      lse.as<float>()[index_of(lse, head_.member.batch, row.head, query)] =
          tiles::log_sum_exp(state.m[r], state.l[r], units_.natural);
  }
}

}  // namespace attune::tiled
