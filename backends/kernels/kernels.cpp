// The kernels of one instruction set. Compiled once for each line of instruction_sets.cmake, which gives
// ATTUNE_KERNEL_ARCH (an xsimd architecture), ATTUNE_KERNEL_NAME and ATTUNE_KERNEL_RUNNABLE.
#include "backends/kernels/kernels.hpp"

#include "backends/kernels/decode.hpp"
#include "backends/kernels/half.hpp"
#include "backends/kernels/pair_kernels.hpp"
#include "backends/kernels/peak.hpp"
#include "backends/kernels/row_tile.hpp"
#include "backends/kernels/score_options.hpp"
#include "backends/kernels/score_tile.hpp"
#include "backends/kernels/softmax.hpp"
#include "backends/kernels/tile_io.hpp"
#include "backends/kernels/value_tile.hpp"
#include "backends/kernels/weigher.hpp"

namespace {

void scores(const float* queries, std::int64_t dim, const float* keys, std::int64_t key_stride, std::int64_t key_count,
            VectorsInUse vectors, const attune::kernels::Ahead& ahead, float* scores, float* row_max) {
  const auto block = vectors.count == 1 ? score_block<1> : score_block<2>;
  block(queries, dim, keys, key_stride, {key_count, vectors}, ahead, scores, row_max);
}

void softcap(float* scores, std::int64_t key_count, float cap, int vectors, float* row_max) {
  const auto block = vectors == 1 ? softcap_block<1> : softcap_block<2>;
  block(scores, key_count, cap, row_max);
}

void add_bias(float* scores, std::int64_t key_count, const float* const* rows, int vectors, float* row_max) {
  const auto block = vectors == 1 ? bias_block<1, false> : bias_block<2, false>;
  block(scores, key_count, rows, row_max);
}

void alibi(float* scores, std::int64_t key_count, const float* slopes, const float* positions, int vectors,
           float* row_max) {
  const auto block = vectors == 1 ? alibi_block<1> : alibi_block<2>;
  block(scores, key_count, slopes, positions, row_max);
}

void select_keys(float* scores, std::int64_t key_count, const float* const* rows, int vectors, float* row_max) {
  const auto block = vectors == 1 ? bias_block<1, true> : bias_block<2, true>;
  block(scores, key_count, rows, row_max);
}

void mask(float* scores, std::int64_t key_count, const float* begin, const float* end, int vectors, float* row_max) {
  const auto block = vectors == 1 ? mask_block<1> : mask_block<2>;
  block(scores, key_count, begin, end, row_max);
}

template <int V>
bool softmax_vectors(float* scores, std::int64_t key_count, bool natural, bool careful, const float* row_max, float* m,
                     float* l, float* alpha) {
  const auto block = natural ? (careful ? softmax_block<V, true, true> : softmax_block<V, false, true>)
                             : (careful ? softmax_block<V, true, false> : softmax_block<V, false, false>);
  return block(scores, key_count, row_max, m, l, alpha);
}

bool softmax(float* scores, std::int64_t key_count, int vectors, bool natural, bool careful, const float* row_max,
             float* m, float* l, float* alpha) {
  const auto block = vectors == 1 ? softmax_vectors<1> : softmax_vectors<2>;
  return block(scores, key_count, natural, careful, row_max, m, l, alpha);
}

void join_tiles(const TileState& later, std::int64_t dim, int vectors, bool natural, Start start,
                const TileState& state) {
  const auto join = natural ? join_vectors<true> : join_vectors<false>;
  join(later, dim, vectors, start, state);
}

void normalise(float* weights, std::int64_t key_count, const float* factor, int vectors) {
  const auto block = vectors == 1 ? normalise_block<1> : normalise_block<2>;
  block(weights, key_count, factor);
}

void weighted_sum(const float* weights, std::int64_t key_count, const float* values, std::int64_t value_stride,
                  std::int64_t dim, VectorsInUse vectors, bool careful, const attune::kernels::Ahead& ahead,
                  Start start, const float* alpha, float* out) {
  const auto block = vectors.count == 1 ? (careful ? value_block<1, true> : value_block<1, false>)
                                        : (careful ? value_block<2, true> : value_block<2, false>);
  block(weights, {key_count, vectors}, values, value_stride, dim, ahead, start, alpha, out);
}

#if defined(__AVX512F__) || defined(__aarch64__)
bool weighted_sum_and_softmax(const float* weights, std::int64_t key_count, const float* values,
                              std::int64_t value_stride, std::int64_t dim, VectorsInUse vectors, Start start,
                              const float* alpha, float* out, const SoftmaxStep& other) {
  using Between = Weighing<WeightsInPlace>;
  Weigher<WeightsInPlace> weigher(other);
  const auto tiles = vectors.count == 1 ? value_tiles<1, false, Between> : value_tiles<2, false, Between>;
  tiles(weights, {key_count, vectors}, values, value_stride, dim, {weigher}, start, alpha, out);
  return weigher.finish();
}
#else
constexpr decltype(attune::kernels::Kernels::weighted_sum_and_softmax) weighted_sum_and_softmax = nullptr;
#endif

}  // namespace

namespace attune::kernels {

extern const Kernels ATTUNE_KERNEL_TABLE;
const Kernels ATTUNE_KERNEL_TABLE = {
    .name = ATTUNE_KERNEL_NAME,
    .lanes = tile_lanes,
    .key_rows = tile_rows,
    .load_rows = ::load_rows,
    .store_rows = ::store_rows,
    .scores = ::scores,
    .softcap = ::softcap,
    .add_bias = ::add_bias,
    .alibi = ::alibi,
    .select_keys = ::select_keys,
    .mask = ::mask,
    .softmax = ::softmax,
    .weighted_sum = ::weighted_sum,
    .weighted_sum_and_softmax = ::weighted_sum_and_softmax,
    .weighted_rows = ::weighted_rows,
    .join = ::join_tiles,
    .widen = ::widen_row,
    .narrow = ::narrow_row,
    .marks = ::make_marks,
    .normalisers = ::normalisers,
    .normalise = ::normalise,
    .all_finite = ::all_finite,
    .pairs = has_pairs ? &pair_kernels : nullptr,
    .decode = &decode_kernels,
    .multiply_add_peak = ::multiply_add_peak,
};

}  // namespace attune::kernels
