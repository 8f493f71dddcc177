// What leaves a tile: rows of the output, of lse and of the weights.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/rows.hpp"
#include "backends/tiles/softmax_state.hpp"

namespace attune::tiles {

/// write(rows) fills the lanes' rows of the tensor from element `first_element` of its last axis on; sequences begin at
/// row first_in_member of its third.
template <typename Write>
bool QueryTile::write_tensor(const MutableTensorView& tensor, std::int64_t count, std::int64_t first_in_member,
                             std::int64_t first_element, Write write) const noexcept {
  std::int64_t first[max_lanes];
  find_rows(tensor, first_in_member, first);
  for (int lane = 0; lane < rows_; ++lane) first[lane] += first_element * tensor.strides[3];
  return write_rows(*kernels_, count, tensor, first, rows_, shared_->rows, write);
}

bool writes_rows(const kernels::Kernels& kernels, const Arguments& arguments, const kernels::PairKernels* pairs,
                 std::int64_t keys) noexcept {
  constexpr std::int64_t few_bytes = 32768;
  if (arguments.value_dim < kernels.lanes / 2) return false;
  const std::size_t element = pairs == nullptr ? sizeof(float) : sizeof(std::uint16_t);
  return keys * arguments.value_dim * static_cast<std::int64_t>(element) <= few_bytes &&
         (pairs == nullptr || in_place(arguments.out, DType::bf16));
}

bool QueryTile::close() noexcept {
  bool finite = !written_ || finite_;
  if (arguments_->value_dim > 0 && !written_) {
    if (fresh_) std::fill_n(state_.out, arguments_->value_dim * lanes(), 0.0f);
    finite = write_out();
  }
  if (arguments_->lse.data != nullptr) write_lse();
  return finite;
}

bool QueryTile::write_out() noexcept {
  alignas(64) float factor[max_lanes];
  kernels_->normalisers(state_.l, vectors_, factor);
  const MutableTensorView& out = arguments_->out;
  if (pairs_ != nullptr && in_place(out, DType::bf16)) {
    std::uint16_t* rows[max_lanes];
    row_addresses<std::uint16_t>(out, *head_, first_row_, rows_, rows);
    return pairs_->store_rows(state_.out, arguments_->value_dim, factor, rows, rows_);
  }
  return write_tensor(out, arguments_->value_dim, head_->member.first_query, 0, [&](float* const* rows) {
    return kernels_->store_rows(state_.out, arguments_->value_dim, factor, rows, rows_);
  });
}

/// The values of one part are all that is summed up: they need not go through the tile's sums.
bool QueryTile::write_weighted(const float* weights, const KeyBlock& part) noexcept {
  alignas(64) float factor[max_lanes];
  kernels_->normalisers(state_.l, vectors_, factor);
  if (pairs_ != nullptr) {
    std::uint16_t* rows[max_lanes];
    row_addresses<std::uint16_t>(arguments_->out, *head_, first_row_, rows_, rows);
    return pairs_->weighted_rows(reinterpret_cast<const std::uint32_t*>(weights), part.count, part.value_pairs,
                                 arguments_->value_dim, factor, rows, rows_);
  }
  return write_tensor(arguments_->out, arguments_->value_dim, head_->member.first_query, 0, [&](float* const* rows) {
    return kernels_->weighted_rows(weights, part.count, part.values, part.value_stride, arguments_->value_dim, factor,
                                   rows, rows_);
  });
}

void QueryTile::write_lse() const noexcept {
  const MutableTensorView& lse = arguments_->lse;
  std::int64_t index[max_lanes];
  find_rows(lse, head_->member.first_query, index);
  for (int lane = 0; lane < rows_; ++lane) {
    lse.as<float>()[index[lane]] = log_sum_exp(state_.m[lane], state_.l[lane], natural_);
  }
}

void QueryTile::clear_weights() const noexcept {
  const MutableTensorView& weights = arguments_->weights;
  std::int64_t first[max_lanes];
  find_rows(weights, 0, first);
  for (int lane = 0; lane < rows_; ++lane) {
    float* row = weights.as<float>() + first[lane];
    for (std::int64_t key = 0; key < weights.shape[3]; ++key) row[key * weights.strides[3]] = 0.0f;
  }
}

void QueryTile::write_weights(const KeyBlock& part, float* weights) const noexcept {
  const MutableTensorView& tensor = arguments_->weights;
  alignas(64) float factor[max_lanes];
  kernels_->normalisers(state_.l, vectors_, factor);
  kernels_->normalise(weights, part.count, factor, vectors_);
  std::fill_n(factor, max_lanes, 1.0f);
  write_tensor(tensor, part.count, 0, part.first,
               [&](float* const* rows) { return kernels_->store_rows(weights, part.count, factor, rows, rows_); });
}

void QueryTile::recompute_weights(const KeyBlock& part, float* scores) const noexcept {
  alignas(64) float m[max_lanes], l[max_lanes], alpha[max_lanes];
  std::copy_n(state_.m, lanes(), m);
  std::fill_n(l, max_lanes, 0.0f);
  score(part, {}, scores, shared_->row_max);
  if (softmax_scale_ != 1.0f) {
    std::fill_n(alpha, max_lanes, softmax_scale_);
    kernels_->normalise(scores, part.count, alpha, vectors_);
    for (int lane = 0; lane < lanes(); ++lane) shared_->row_max[lane] *= softmax_scale_;
  }
  kernels_->softmax(scores, part.count, vectors_, natural_, true, shared_->row_max, m, l, alpha);
}

}  // namespace attune::tiles
