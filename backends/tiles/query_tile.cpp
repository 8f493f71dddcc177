#include "backends/tiles/query_tile.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace attune::tiles {
namespace {

/// Where the sum starts for a row with this sink: the sink is one key of weight exp2(sink − m), without a value.
float first_sum(float sink) noexcept {
  if (std::isnan(sink) || sink == std::numeric_limits<float>::infinity()) return std::numeric_limits<float>::quiet_NaN();
  return sink == -std::numeric_limits<float>::infinity() ? 0.0f : 1.0f;
}

}  // namespace

HeadRows head_rows(const Arguments& arguments, std::int64_t member, std::int64_t kv_head) noexcept {
  const Member m = arguments.member(member);
  return {m, member, kv_head, arguments.group() * m.queries};
}

std::size_t QueryTile::scratch_floats(const kernels::Kernels& kernels, std::int64_t head_dim,
                                      std::int64_t value_dim) noexcept {
  const auto lanes = static_cast<std::size_t>(kernels.lanes);
  const std::size_t floats = static_cast<std::size_t>(head_dim + value_dim) * lanes + 3 * lanes;
  return (floats + 15) / 16 * 16;
}

void QueryTile::open(const kernels::Kernels& kernels, const Arguments& arguments, const HeadRows& head,
                     std::int64_t first_row, float* scratch) noexcept {
  kernels_ = &kernels;
  arguments_ = &arguments;
  head_ = head;
  first_row_ = first_row;
  rows_ = static_cast<int>(std::min<std::int64_t>(kernels.lanes, head.count - first_row));
  vectors_ = rows_ <= kernels.lanes / 2 ? 1 : 2;

  const std::int64_t lanes = kernels.lanes;
  queries_ = scratch;
  out_ = queries_ + arguments.head_dim * lanes;
  m_ = out_ + arguments.value_dim * lanes;
  l_ = m_ + lanes;
  alpha_ = l_ + lanes;

  const float* rows[max_lanes] = {};
  const TensorView& query = arguments.query;
  for (int lane = 0; lane < rows_; ++lane) {
    const Place at = place(lane);
    rows[lane] = query.as<float>() + head.member.batch * query.strides[0] + at.head * query.strides[1] +
                 (head.member.first_query + at.query) * query.strides[2];
  }
  const auto scale = static_cast<float>(arguments.scale * std::numbers::log2e);
  kernels.load_rows(rows, query.strides[3], rows_, arguments.head_dim, scale, queries_);
  find_ranges();
  reset();
}

QueryTile::Place QueryTile::place(int lane) const noexcept {
  const std::int64_t row = first_row_ + lane;
  const std::int64_t in_group = row / head_.member.queries;
  return {head_.kv_head * arguments_->group() + in_group, row - in_group * head_.member.queries};
}

void QueryTile::find_ranges() noexcept {
  attended_ = {std::numeric_limits<std::int64_t>::max(), 0};
  whole_ = {0, head_.member.keys};
  for (int lane = 0; lane < kernels_->lanes; ++lane) {
    // Lanes without a query hold zeros and may attend anything.
    KeyRange& range = lane_keys_[static_cast<std::size_t>(lane)];
    range = {0, head_.member.keys};
    if (lane >= rows_) continue;
    range = arguments_->attended_keys(head_.member, place(lane).query);
    whole_ = {std::max(whole_.begin, range.begin), std::min(whole_.end, range.end)};
    if (range.begin < range.end)
      attended_ = {std::min(attended_.begin, range.begin), std::max(attended_.end, range.end)};
  }
  if (attended_.end == 0) attended_ = {};
}

void QueryTile::reset() noexcept {
  fresh_ = true;
  rescale_ = false;
  const TensorView& sinks = arguments_->sinks;
  for (int lane = 0; lane < kernels_->lanes; ++lane) {
    m_[lane] = -std::numeric_limits<float>::infinity();
    l_[lane] = 0.0f;
    if (sinks.data == nullptr || lane >= rows_) continue;
    const float sink = sinks.as<float>()[place(lane).head * sinks.strides[0]];
    m_[lane] = static_cast<float>(static_cast<double>(sink) * std::numbers::log2e);
    l_[lane] = first_sum(sink);
  }
}

std::int64_t QueryTile::score(const KeyBlock& block, float* scores, float* row_max) const noexcept {
  const std::int64_t count = std::min(block.end(), attended_.end) - block.first;
  kernels_->scores(queries_, arguments_->head_dim, block.keys, block.key_stride, count, vectors_, scores, row_max);
  if (block.first < whole_.begin || block.first + count > whole_.end) {
    alignas(64) float begin[max_lanes];
    alignas(64) float end[max_lanes];
    for (int lane = 0; lane < kernels_->lanes; ++lane) {
      const KeyRange range = keys_of(lane);
      begin[lane] = static_cast<float>(std::clamp<std::int64_t>(range.begin - block.first, 0, count));
      end[lane] = static_cast<float>(std::clamp<std::int64_t>(range.end - block.first, 0, count));
    }
    kernels_->mask(scores, count, begin, end, vectors_, row_max);
  }
  return count;
}

void QueryTile::softmax(float* scores, std::int64_t key_count, const float* row_max, bool careful) noexcept {
  rescale_ = kernels_->softmax(scores, key_count, vectors_, careful, row_max, m_, l_, alpha_);
}

void QueryTile::add_values(const float* weights, std::int64_t key_count, const KeyBlock& block, bool careful) noexcept {
  using kernels::Start;
  const Start start = fresh_ ? Start::zero : rescale_ ? Start::rescale : Start::add;
  kernels_->weighted_sum(weights, key_count, block.values, block.value_stride, arguments_->value_dim, vectors_, careful,
                         start, alpha_, out_);
  fresh_ = false;
  rescale_ = false;
}

bool QueryTile::finite() const noexcept {
  return fresh_ || kernels_->all_finite(out_, arguments_->value_dim, vectors_);
}

void QueryTile::normalisers(float* factor) const noexcept {
  for (int lane = 0; lane < rows_; ++lane) factor[lane] = l_[lane] == 0.0f ? 0.0f : 1.0f / l_[lane];
}

void QueryTile::close() noexcept {
  const MutableTensorView& out = arguments_->out;
  alignas(64) float factor[max_lanes];
  normalisers(factor);
  float* rows[max_lanes] = {};
  if (arguments_->value_dim > 0) {
    for (int lane = 0; lane < rows_; ++lane) {
      const Place at = place(lane);
      rows[lane] = out.as<float>() + head_.member.batch * out.strides[0] + at.head * out.strides[1] +
                   (head_.member.first_query + at.query) * out.strides[2];
    }
    if (fresh_) std::fill_n(out_, arguments_->value_dim * kernels_->lanes, 0.0f);
    kernels_->store_rows(out_, arguments_->value_dim, factor, rows, out.strides[3], rows_);
  }
  if (arguments_->lse.data != nullptr) write_lse();
}

void QueryTile::write_lse() const noexcept {
  const MutableTensorView& lse = arguments_->lse;
  for (int lane = 0; lane < rows_; ++lane) {
    const Place at = place(lane);
    const double value = l_[lane] == 0.0f ? -std::numeric_limits<double>::infinity()
                                          : (static_cast<double>(m_[lane]) + std::log2(static_cast<double>(l_[lane]))) *
                                                std::numbers::ln2;
    lse.as<float>()[head_.member.batch * lse.strides[0] + at.head * lse.strides[1] +
                    (head_.member.first_query + at.query) * lse.strides[2]] = static_cast<float>(value);
  }
}

}  // namespace attune::tiles
