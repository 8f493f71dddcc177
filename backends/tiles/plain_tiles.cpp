#include "backends/tiles/plain_tiles.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/rows.hpp"
#include "backends/tiles/softmax_state.hpp"

namespace attune::tiles {
namespace {

bool has_options(const Arguments& arguments) noexcept {
  const bool selects = arguments.causal || arguments.window_left >= 0 || arguments.window_right >= 0 ||
                       arguments.block_mask.data != nullptr;
  const bool changes = arguments.mask.data != nullptr || arguments.alibi_slopes.data != nullptr ||
                       arguments.softcap > 0 || arguments.sinks.data != nullptr;
  return selects || changes || arguments.lse.data != nullptr || arguments.weights.data != nullptr;
}

/// The running softmax, which takes but one step here.
struct OneStep {
  explicit OneStep(int lanes) noexcept {
    std::fill_n(m, lanes, -std::numeric_limits<float>::infinity());
    std::fill_n(l, lanes, 0.0f);
  }

  alignas(64) float m[max_lanes];
  alignas(64) float l[max_lanes];
  alignas(64) float alpha[max_lanes];
  alignas(64) float factor[max_lanes];  // what sums of weights · values are to be multiplied by
};

}  // namespace

PlainTiles::PlainTiles(const kernels::Kernels& kernels, const Arguments& arguments) noexcept
    : kernels_(kernels), arguments_(arguments), pairs_(pairs_for(kernels, arguments)) {
  const DType dtype = pairs_ != nullptr ? DType::bf16 : DType::f32;
  plain_ = !has_options(arguments) && in_place(arguments.query, dtype) && in_place(arguments.out, dtype);
  if (!plain_) return;
  const ScoreUnits units = score_units(arguments, 0);
  scale_ = units.scale;
  plain_ = !units.natural && (pairs_ == nullptr || scale_ > 0);
}

bool PlainTiles::suits(const KeyBlock& block) const noexcept {
  return plain_ && block.count > 0 && writes_rows(kernels_, arguments_, pairs_, block.count);
}

bool PlainTiles::attend(const HeadRows& head, std::int64_t first_row, const KeyBlock& block,
                        const kernels::Ahead& ahead, float* own, const Scratch& shared) const noexcept {
  const auto rows = static_cast<int>(std::min<std::int64_t>(kernels_.lanes, head.count - first_row));
  if (pairs_ != nullptr)
    return attend_pairs(head, first_row, rows, block, ahead, reinterpret_cast<std::uint32_t*>(own), shared);
  return attend_floats(head, first_row, rows, block, ahead, own, shared);
}

bool PlainTiles::attend_floats(const HeadRows& head, std::int64_t first_row, int rows, const KeyBlock& block,
                               const kernels::Ahead& ahead, float* queries, const Scratch& shared) const noexcept {
  const float* from[max_lanes];
  row_addresses<float>(arguments_.query, head, first_row, rows, from);
  kernels_.load_rows(from, rows, arguments_.head_dim, scale_, queries);
  kernels_.scores(queries, arguments_.head_dim, block.keys, block.key_stride, block.count, vectors(rows), ahead,
                  shared.scores, shared.row_max);
  OneStep step(kernels_.lanes);
  kernels_.softmax(shared.scores, block.count, vectors(rows), false, false, shared.row_max, step.m, step.l, step.alpha);
  kernels_.normalisers(step.l, vectors(rows), step.factor);
  float* to[max_lanes];
  row_addresses<float>(arguments_.out, head, first_row, rows, to);
  return kernels_.weighted_rows(shared.scores, block.count, block.values, block.value_stride, arguments_.value_dim,
                                step.factor, to, rows);
}

/// Pairs of queries are loaded as they are, and the scale is left to the softmax: as a QueryTile does it.
bool PlainTiles::attend_pairs(const HeadRows& head, std::int64_t first_row, int rows, const KeyBlock& block,
                              const kernels::Ahead& ahead, std::uint32_t* queries,
                              const Scratch& shared) const noexcept {
  const std::uint16_t* from[max_lanes];
  row_addresses<std::uint16_t>(arguments_.query, head, first_row, rows, from);
  pairs_->load_rows(from, rows, arguments_.head_dim, queries);
  pairs_->scores(queries, arguments_.head_dim, block.key_elements, block.key_stride, block.count, 1.0f, vectors(rows),
                 ahead, shared.scores, shared.row_max);
  OneStep step(kernels_.lanes);
  pairs_->softmax(shared.scores, block.count, vectors(rows), false, false, scale_, shared.row_max, step.m, step.l,
                  step.alpha);
  kernels_.normalisers(step.l, vectors(rows), step.factor);
  std::uint16_t* to[max_lanes];
  row_addresses<std::uint16_t>(arguments_.out, head, first_row, rows, to);
  return pairs_->weighted_rows(reinterpret_cast<const std::uint32_t*>(shared.scores), block.count, block.value_pairs,
                               arguments_.value_dim, step.factor, to, rows);
}

}  // namespace attune::tiles
