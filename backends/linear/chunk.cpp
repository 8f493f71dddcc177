#include "backends/linear/chunk.hpp"

#include <algorithm>
#include <limits>

#include "backends/tiles/rows.hpp"
#include "backends/tiles/sizes.hpp"

namespace attune::linear {
namespace {

using kernels::Start;
using tiles::padded_floats;

std::int64_t padded(std::int64_t floats) noexcept { return static_cast<std::int64_t>(padded_floats(floats)); }

/// Elements are turned into features in whole tile rows.
std::int64_t in_tile_rows(std::int64_t floats, std::int64_t lanes) noexcept {
  return (floats + lanes - 1) / lanes * lanes;
}

std::int64_t row_floats(const Sizes& s) noexcept { return padded(std::max(s.lanes * s.dim, s.columns)); }

}  // namespace

Sizes::Sizes(const Problem& problem, const kernels::Kernels& kernels) noexcept
    : dim(problem.tensors.head_dim),
      columns(problem.tensors.value_dim + 1),
      lanes(kernels.lanes),
      blocks((columns + lanes - 1) / lanes) {}

std::int64_t Sizes::scratch_floats() const noexcept {
  return 2 * padded(in_tile_rows(chunk_keys * dim, lanes)) + blocks * chunk_keys * lanes + 2 * dim * lanes +
         chunk_keys * lanes + blocks * lanes * lanes + row_floats(*this) + 6 * padded(lanes) + 7 * 16;
}

Chunk::Chunk(const Problem& problem, const kernels::Kernels& kernels, float* scratch) noexcept
    : problem_(problem), kernels_(kernels), sizes_(problem, kernels) {
  const auto take = [&](std::int64_t floats) {
    float* taken = scratch;
    scratch += padded(floats);
    return taken;
  };
  // keys_ and queries_ are followed by as much again: to_features() keeps the positive parts there.
  keys_ = take(2 * padded(in_tile_rows(chunk_keys * sizes_.dim, sizes_.lanes)));
  values_ = take(sizes_.blocks * chunk_keys * sizes_.lanes);
  queries_ = take(2 * sizes_.dim * sizes_.lanes);
  scores_ = take(chunk_keys * sizes_.lanes);
  out_ = take(sizes_.blocks * sizes_.lanes * sizes_.lanes);
  rows_ = take(row_floats(sizes_));
  lane_ = take(5 * padded(sizes_.lanes));
}

/// One vector suffices where the block's columns fill no more.
int Chunk::vectors_of(std::int64_t block) const noexcept {
  return sizes_.columns - block * sizes_.lanes <= sizes_.lanes / 2 ? 1 : 2;
}

/// φ(x) = max(x, 0) + exp(min(x, 0)); the exponential is the softmax kernel's, for a maximum of 0.
void Chunk::to_features(float* elements, std::int64_t count) noexcept {
  const std::int64_t lanes = sizes_.lanes, total = in_tile_rows(count, lanes);
  float* positive = elements + total;
  std::fill(elements + count, elements + total, 0.0f);
  for (std::int64_t i = 0; i < total; ++i) {
    positive[i] = std::max(elements[i], 0.0f);  // NaN stays: it is not less than 0
    elements[i] = std::min(elements[i], 0.0f);
  }
  const std::int64_t step = padded(lanes);
  float *row_max = lane_, *m = lane_ + step, *l = m + step, *alpha = l + step;
  std::fill(row_max, row_max + lanes, 0.0f);
  std::fill(m, m + lanes, -std::numeric_limits<float>::infinity());
  std::fill(l, l + lanes, 0.0f);
  kernels_.softmax(elements, total / lanes, 2, true, false, row_max, m, l, alpha);
  for (std::int64_t i = 0; i < total; ++i) elements[i] += positive[i];
}

void Chunk::load(std::int64_t batch, std::int64_t kv_head, std::int64_t first, std::int64_t count) noexcept {
  const TensorView &key = problem_.tensors.key, &value = problem_.tensors.value;
  first_key_ = first, count_ = count;
  for (std::int64_t j = 0; j < count; ++j) {
    const float* row = tiles::read_row(kernels_, key, tiles::index_of(key, batch, kv_head, first + j), key.strides[3],
                                       sizes_.dim, rows_);
    std::copy(row, row + sizes_.dim, keys_ + j * sizes_.dim);
  }
  to_features(keys_, count * sizes_.dim);

  for (std::int64_t j = 0; j < count; ++j) {
    const float* row = tiles::read_row(kernels_, value, tiles::index_of(value, batch, kv_head, first + j),
                                       value.strides[3], sizes_.columns - 1, rows_);
    for (std::int64_t block = 0; block < sizes_.blocks; ++block) {
      float* lanes = values_ + (block * chunk_keys + j) * sizes_.lanes;
      const std::int64_t begin = block * sizes_.lanes, end = std::min(begin + sizes_.lanes, sizes_.columns - 1);
      std::fill(lanes, lanes + sizes_.lanes, 0.0f);
      if (begin < end) std::copy(row + begin, row + end, lanes);
      if (begin + sizes_.lanes >= sizes_.columns) lanes[sizes_.columns - 1 - begin] = 1.0f;
    }
  }
  finite_ = true;
  for (std::int64_t block = 0; block < sizes_.blocks; ++block)
    finite_ = finite_ && kernels_.all_finite(values_ + block * chunk_keys * sizes_.lanes, count, 2);
}

void Chunk::add_to(float* state) const noexcept {
  for (std::int64_t block = 0; block < sizes_.blocks; ++block)
    kernels_.weighted_sum(values_ + block * chunk_keys * sizes_.lanes, count_, keys_, sizes_.dim, sizes_.dim,
                          vectors_of(block), false, {}, Start::add, nullptr, state + block * sizes_.dim * sizes_.lanes);
}

void Chunk::load_queries(std::int64_t batch, std::int64_t head, std::int64_t first, std::int64_t count) noexcept {
  const TensorView& query = problem_.tensors.query;
  const float* rows[tiles::max_lanes] = {};
  for (std::int64_t i = 0; i < count; ++i)
    rows[i] = tiles::read_row(kernels_, query, tiles::index_of(query, batch, head, first + i), query.strides[3],
                              sizes_.dim, rows_ + i * sizes_.dim);
  kernels_.load_rows(rows, static_cast<int>(count), sizes_.dim, 1.0f, queries_);
  to_features(queries_, sizes_.dim * sizes_.lanes);
}

void Chunk::attend_loaded_keys(std::int64_t first, std::int64_t count) noexcept {
  const std::int64_t lanes = sizes_.lanes, before = first - first_key_;  // loaded keys before the first query's own
  const std::int64_t keys = std::min(before + count, count_);
  kernels_.scores(queries_, sizes_.dim, keys_, sizes_.dim, keys, 2, {}, scores_, lane_);
  for (std::int64_t j = before + 1; j < keys; ++j) std::fill_n(scores_ + j * lanes, j - before, 0.0f);
  for (std::int64_t block = 0; block < sizes_.blocks; ++block) {
    const float* values = values_ + block * chunk_keys * lanes;
    float* out = out_ + block * lanes * lanes;
    if (finite_) {
      kernels_.weighted_sum(values, keys, scores_, lanes, count, vectors_of(block), false, {}, Start::add, nullptr,
                            out);
      continue;
    }
    // 0 · NaN is NaN: a row must not meet the values it does not see.
    for (std::int64_t i = 0; i < count; ++i)
      kernels_.weighted_sum(values, before + i + 1, scores_ + i, lanes, 1, vectors_of(block), false, {}, Start::add,
                            nullptr, out + i * lanes);
  }
}

void Chunk::attend(std::int64_t batch, std::int64_t head, std::int64_t first, std::int64_t count,
                   const float* state) noexcept {
  load_queries(batch, head, first, count);
  for (std::int64_t block = 0; block < sizes_.blocks; ++block)
    kernels_.weighted_sum(state + block * sizes_.dim * sizes_.lanes, sizes_.dim, queries_, sizes_.lanes, count,
                          vectors_of(block), false, {}, Start::zero, nullptr,
                          out_ + block * sizes_.lanes * sizes_.lanes);
  if (problem_.causal) attend_loaded_keys(first, count);
  write(batch, head, first, count);
}

void Chunk::write(std::int64_t batch, std::int64_t head, std::int64_t first, std::int64_t count) noexcept {
  const MutableTensorView& out = problem_.tensors.out;
  const std::int64_t lanes = sizes_.lanes, last = sizes_.columns - 1;
  const auto sum = [&](std::int64_t i, std::int64_t column) {
    return out_[(column / lanes * lanes + i) * lanes + column % lanes];
  };
  for (std::int64_t i = 0; i < count; ++i) {
    const float total = sum(i, last);
    for (std::int64_t c = 0; c < last; ++c) rows_[c] = total == 0 ? 0.0f : sum(i, c) / total;
    tiles::write_row(kernels_, rows_, out, tiles::index_of(out, batch, head, first + i), last);
  }
}

}  // namespace attune::linear
