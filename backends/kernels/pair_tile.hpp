// The score and value tiles on pairs of bf16 (vdpbf16ps): two products a lane and instruction, twice the rate of f32.
// The same shapes as score_tile.hpp and value_tile.hpp; each 32-bit lane holds a pair of neighbours: of head dims in
// queries and keys, of keys in weights and values. Empty for instruction sets without the instruction.
#pragma once

#include <algorithm>

#include "backends/kernels/kernels.hpp"
#include "backends/kernels/vector.hpp"

#if defined(__AVX512BF16__)

#include "backends/kernels/decode_pairs.hpp"
#include "backends/kernels/half.hpp"
#include "backends/kernels/keys_of_lanes.hpp"
#include "backends/kernels/pair_softmax.hpp"
#include "backends/kernels/pairs.hpp"
#include "backends/kernels/peak.hpp"
#include "backends/kernels/row_tile.hpp"
#include "backends/kernels/tile_io.hpp"
#include "backends/kernels/value_tile.hpp"
#include "backends/kernels/whole_tiles.hpp"

namespace {

using attune::kernels::Ahead;

constexpr bool has_pairs = true;

/// Pairs are moved as floats are, whatever their bits: nothing computes with them.
void load_pair_rows(const std::uint16_t* const* rows, int count, std::int64_t dim, std::uint32_t* tile) {
  const float* pairs[tile_lanes];
  for (int lane = 0; lane < count; ++lane) pairs[lane] = reinterpret_cast<const float*>(rows[lane]);
  load_changed_rows(pairs, count, dim / 2, [](auto x) { return x; }, reinterpret_cast<float*>(tile));
}

/// (low, high) of each lane, rounded to bf16 as narrow_row() does.
inline Pairs narrow_pair(Vec low, Vec high) {
  return _mm512_mask_mov_epi16(_mm512_srli_epi32(rounded_to_bf16(low), 16), 0xaaaaaaaa, rounded_to_bf16(high));
}

/// A tile's columns of one vector of lanes on their way to rows of bf16: they become pairs before they become rows,
/// half as much to transpose and to store.
class PairColumns {
 public:
  PairColumns(const float* tile, Vec factor) : tile_(tile), factor_(factor) {}

  /// rows[r] from element d on, as many columns as a vector has elements.
  void store(std::int64_t d, std::uint16_t* const* rows, int count) {
    each<vector_lanes>([&](int i) { pairs_[i] = pair(d + 2 * i); });
    transpose(pairs_);
    each<vector_lanes>([&](int i) {
      if (i < count) _mm512_storeu_si512(rows[i] + d, _mm512_castps_si512(pairs_[i]));
    });
  }

  /// The last `left` columns, fewer than that; beside them stand zeros that are not stored.
  void store_last(std::int64_t d, int left, std::uint16_t* const* rows, int count) {
    each<vector_lanes>([&](int i) {
      pairs_[i] = Vec(0.0f);
      if (2 * i + 1 < left)
        pairs_[i] = pair(d + 2 * i);
      else if (2 * i < left)
        pairs_[i] = _mm512_castsi512_ps(narrow_pair(scaled<0>(d + 2 * i), Vec(0.0f)));
    });
    transpose(pairs_);
    const auto mask = static_cast<__mmask32>((1u << left) - 1);
    each<vector_lanes>([&](int i) {
      if (i < count) _mm512_mask_storeu_epi16(rows[i] + d, mask, _mm512_castps_si512(pairs_[i]));
    });
  }

  /// Were all columns so far finite in the first `count` lanes?
  bool finite(int count) const { return all_zero(check_[0] + check_[1], count); }

 private:
  template <int half>
  Vec scaled(std::int64_t d) {
    const Vec column = load(tile_ + d * tile_lanes);
    check_[half] = multiply_add(column, Vec(0.0f), check_[half]);
    return column * factor_;
  }
  Vec pair(std::int64_t d) { return _mm512_castsi512_ps(narrow_pair(scaled<0>(d), scaled<1>(d + 1))); }

  const float* tile_;
  Vec factor_;
  Row<2> check_ = {Vec(0.0f), Vec(0.0f)};
  Square pairs_;
};

bool store_pair_rows(const float* tile, std::int64_t dim, const float* factor, std::uint16_t* const* rows, int count) {
  bool finite = true;
  for (int first = 0; first < count; first += vector_lanes) {
    const int used = std::min(count - first, vector_lanes);
    PairColumns columns(tile + first, load(factor + first));
    std::int64_t d = 0;
    for (; d + row_elements <= dim; d += row_elements) columns.store(d, rows + first, used);
    if (d < dim) columns.store_last(d, static_cast<int>(dim - d), rows + first, used);
    finite = finite && columns.finite(used);
  }
  return finite;
}

template <int R, int V, bool scaled, typename P>
inline void pair_score_tile(const std::uint32_t* queries, std::int64_t dim, const std::uint16_t* keys,
                            std::int64_t key_stride, Vec scale, P& prefetcher, float* scores, Row<V>& row_max) {
  Block<R, V> sum;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[r][v] = Vec(0.0f);
  const std::int64_t three_keys = thrice(key_stride);
  prefetching(prefetcher, dim / 2, [&](std::int64_t pair) __attribute__((always_inline)) {
    Pairs q[2];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) q[v] = load_pairs(queries + pair * tile_lanes + v * vector_lanes);
    each_row<R>(keys + 2 * pair, key_stride, three_keys,
                [&](int r, const std::uint16_t* at) __attribute__((always_inline)) {
                  const Pairs k = broadcast_pair(at);
#pragma GCC unroll 2
                  for (int v = 0; v < V; ++v) sum[r][v] = dot_pairs(sum[r][v], k, q[v]);
                });
  });
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) {
    Vec largest = row_max[v];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec score = scaled ? sum[r][v] * scale : sum[r][v];
      store(scores + r * tile_lanes + v * vector_lanes, score);
      largest = xsimd::max(largest, score);
    }
    row_max[v] = largest;
  }
}

template <int R, int V, bool scaled>
inline void pair_score_tail(int rows, const std::uint32_t* queries, std::int64_t dim, const std::uint16_t* keys,
                            std::int64_t key_stride, Vec scale, float* scores, Row<V>& row_max) {
  if constexpr (R > 0) {
    NoPrefetcher none;
    if (rows == R)
      pair_score_tile<R, V, scaled>(queries, dim, keys, key_stride, scale, none, scores, row_max);
    else
      pair_score_tail<R - 1, V, scaled>(rows, queries, dim, keys, key_stride, scale, scores, row_max);
  }
}

template <int V, bool scaled, typename P>
void pair_score_tiles(const std::uint32_t* queries, std::int64_t dim, const std::uint16_t* keys,
                      std::int64_t key_stride, std::int64_t key_count, float scale, P prefetcher, float* scores,
                      float* row_max) {
  Row<V> largest;
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) largest[v] = minus_infinity();
  const std::int64_t done = for_whole_tiles<V>(key_count, [&]<int R>(std::int64_t key) {
    pair_score_tile<R, V, scaled>(queries, dim, keys + key * key_stride, key_stride, Vec(scale), prefetcher,
                                  scores + key * tile_lanes, largest);
  });
  prefetcher.begin_share();
  prefetcher.end_share();
  pair_score_tail<tile_rows - 1, V, scaled>(static_cast<int>(key_count - done), queries, dim, keys + done * key_stride,
                                            key_stride, Vec(scale), scores + done * tile_lanes, largest);
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) store(row_max + v * vector_lanes, largest[v]);
}

template <int V, bool scaled>
void pair_score_block(const std::uint32_t* queries, std::int64_t dim, const std::uint16_t* keys,
                      std::int64_t key_stride, KeysOfLanes count, float scale, const Ahead& ahead, float* scores,
                      float* row_max) {
  with_prefetcher(ahead, count_tiles<V>(count.lower), [&](auto prefetcher) {
    pair_score_tiles<V, scaled>(queries, dim, keys, key_stride, count.lower, scale, prefetcher, scores, row_max);
  });
  if (V == 1 || count.lower == count.all) return;
  score_upper(row_max, [&](float* upper_max) {
    pair_score_tiles<1, scaled>(queries + vector_lanes, dim, keys + count.lower * key_stride, key_stride,
                                count.all - count.lower, scale, NoPrefetcher(),
                                scores + count.lower * tile_lanes + vector_lanes, upper_max);
  });
}

void pair_scores(const std::uint32_t* queries, std::int64_t dim, const std::uint16_t* keys, std::int64_t key_stride,
                 std::int64_t key_count, float scale, VectorsInUse vectors, const Ahead& ahead, float* scores,
                 float* row_max) {
  const auto block = vectors.count == 1 ? (scale == 1.0f ? pair_score_block<1, false> : pair_score_block<1, true>)
                                        : (scale == 1.0f ? pair_score_block<2, false> : pair_score_block<2, true>);
  block(queries, dim, keys, key_stride, {key_count, vectors}, scale, ahead, scores, row_max);
}

/// pairs[key / 2][column] = (values[key][column], values[key + 1][column])
void pair_values(const std::uint16_t* values, std::int64_t stride, std::int64_t key_count, std::int64_t dim,
                 std::uint32_t* pairs) {
  const auto pair_rows = [&]<bool both>(std::int64_t key) __attribute__((always_inline)) {
    const std::uint16_t* row = values + key * stride;
    std::uint32_t* to = pairs + key / 2 * dim;
    std::int64_t c = 0;
    for (; c + row_elements <= dim; c += row_elements) {
      const PairsOfRows at =
          interleave(_mm512_loadu_si512(row + c), both ? _mm512_loadu_si512(row + stride + c) : _mm512_setzero_si512());
      _mm512_storeu_si512(to + c, at.first);
      _mm512_storeu_si512(to + c + vector_lanes, at.last);
    }
    for (; c < dim; ++c) to[c] = row[c] | (both ? static_cast<std::uint32_t>(row[stride + c]) << 16 : 0u);
  };
  std::int64_t key = 0;
  for (; key + 1 < key_count; key += 2) pair_rows.template operator()<true>(key);
  if (key < key_count) pair_rows.template operator()<false>(key);
}

/// As dot_pairs(), leaving out a key whose weight is the mark −0, whatever its value holds.
inline Vec careful_dot_pairs(Vec sum, Pairs value, Pairs weight) {
  const Pairs low = _mm512_set1_epi32(0xffff), high = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  const __mmask16 skip_low = _mm512_cmpeq_epi32_mask(_mm512_and_si512(weight, low), _mm512_set1_epi32(0x8000));
  const __mmask16 skip_high =
      _mm512_cmpeq_epi32_mask(_mm512_and_si512(weight, high), _mm512_set1_epi32(static_cast<int>(0x80000000u)));
  const Vec only_low = dot_pairs(sum, _mm512_and_si512(value, low), _mm512_and_si512(weight, low));
  const Vec only_high = dot_pairs(sum, _mm512_and_si512(value, high), _mm512_and_si512(weight, high));
  __m512 result = dot_pairs(sum, value, weight);
  result = _mm512_mask_mov_ps(result, skip_low, only_high);
  result = _mm512_mask_mov_ps(result, skip_high, only_low);
  return _mm512_mask_mov_ps(result, skip_low & skip_high, sum);
}

/// The sums go on from `out`, which is a point of peak faster than joining it at the end (value_tile.hpp): how long
/// chains drift is nothing beside the rounding of the weights.
template <int C, int V>
inline void begin_columns(Start start, const float* alpha, const float* out, Block<C, V>& sum) {
#pragma GCC unroll 16
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v)
      sum[c][v] = start == Start::zero ? Vec(0.0f) : load(out + c * tile_lanes + v * vector_lanes);
  if (start != Start::rescale) return;
#pragma GCC unroll 16
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[c][v] = sum[c][v] * load(alpha + v * vector_lanes);
}

/// `pairs` are those of the keys.
template <int C, int V, bool careful, typename P>
inline void pair_value_tile(const std::uint32_t* weights, KeysOfLanes pairs, const std::uint32_t* values,
                            std::int64_t dim, P& prefetcher, Start start, const float* alpha, float* out) {
  Block<C, V> sum;
  begin_columns<C, V>(start, alpha, out, sum);
  const auto add = [&]<int first>(std::int64_t pair) __attribute__((always_inline)) {
    Pairs p[2];
#pragma GCC unroll 2
    for (int v = first; v < V; ++v) p[v] = load_pairs(weights + pair * tile_lanes + v * vector_lanes);
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) {
      const Pairs value = _mm512_set1_epi32(static_cast<int>(values[pair * dim + c]));
#pragma GCC unroll 2
      for (int v = first; v < V; ++v)
        sum[c][v] = careful ? careful_dot_pairs(sum[c][v], value, p[v]) : dot_pairs(sum[c][v], value, p[v]);
    }
  };
  prefetching(prefetcher, pairs.lower,
              [&](std::int64_t pair) __attribute__((always_inline)) { add.template operator()<0>(pair); });
  if constexpr (V == 2)
    for (std::int64_t pair = pairs.lower; pair < pairs.all; ++pair) add.template operator()<1>(pair);
#pragma GCC unroll 16
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) store(out + c * tile_lanes + v * vector_lanes, sum[c][v]);
}

template <int C, int V, bool careful>
inline void pair_value_tail(int columns, const std::uint32_t* weights, KeysOfLanes pairs, const std::uint32_t* values,
                            std::int64_t dim, Start start, const float* alpha, float* out) {
  if constexpr (C > 0) {
    NoPrefetcher none;
    if (columns == C)
      pair_value_tile<C, V, careful>(weights, pairs, values, dim, none, start, alpha, out);
    else
      pair_value_tail<C - 1, V, careful>(columns, weights, pairs, values, dim, start, alpha, out);
  }
}

template <int V, bool careful, typename P>
void pair_value_tiles(const std::uint32_t* weights, KeysOfLanes pairs, const std::uint32_t* values, std::int64_t dim,
                      P prefetcher, Start start, const float* alpha, float* out) {
  const std::int64_t done = for_whole_tiles<V>(dim, [&]<int C>(std::int64_t column) {
    pair_value_tile<C, V, careful>(weights, pairs, values + column, dim, prefetcher, start, alpha,
                                   out + column * tile_lanes);
  });
  prefetcher.begin_share();
  prefetcher.end_share();
  pair_value_tail<tile_rows - 1, V, careful>(static_cast<int>(dim - done), weights, pairs, values + done, dim, start,
                                             alpha, out + done * tile_lanes);
}

template <int V, bool careful>
void pair_value_block(const std::uint32_t* weights, KeysOfLanes pairs, const std::uint32_t* values, std::int64_t dim,
                      const Ahead& ahead, Start start, const float* alpha, float* out) {
  with_prefetcher(ahead, count_tiles<V>(dim), [&](auto prefetcher) {
    pair_value_tiles<V, careful>(weights, pairs, values, dim, prefetcher, start, alpha, out);
  });
}

void pair_weighted_sum(const std::uint32_t* weights, std::int64_t key_count, const std::uint32_t* values,
                       std::int64_t dim, VectorsInUse vectors, bool careful, const Ahead& ahead, Start start,
                       const float* alpha, float* out) {
  const auto block = vectors.count == 1 ? (careful ? pair_value_block<1, true> : pair_value_block<1, false>)
                                        : (careful ? pair_value_block<2, true> : pair_value_block<2, false>);
  const KeysOfLanes keys(key_count, vectors);
  block(weights, {(keys.all + 1) / 2, (keys.lower + 1) / 2}, values, dim, ahead, start, alpha, out);
}

bool pair_weighted_sum_and_softmax(const std::uint32_t* weights, std::int64_t key_count, const std::uint32_t* values,
                                   std::int64_t dim, VectorsInUse vectors, Start start, const float* alpha, float* out,
                                   const SoftmaxStep& other) {
  Weigher<WeightsInPairs> weigher(other);
  using Between = Weighing<WeightsInPairs>;
  const auto tiles = vectors.count == 1 ? pair_value_tiles<1, false, Between> : pair_value_tiles<2, false, Between>;
  const KeysOfLanes keys(key_count, vectors);
  tiles(weights, {(keys.all + 1) / 2, (keys.lower + 1) / 2}, values, dim, {weigher}, start, alpha, out);
  return weigher.finish();
}

/// A step is a pair of keys; rows are rounded to bf16 once.
struct RowsOfPairs {
  using Weight = std::uint32_t;
  using Value = std::uint32_t;
  using Output = std::uint16_t;
  using Operand = Pairs;

  template <bool partial>
  static Pairs columns(const std::uint32_t* p, int left) {
    if constexpr (partial) return _mm512_maskz_loadu_epi32(first_lanes(left), p);
    return _mm512_loadu_si512(p);
  }

  static Pairs broadcast(const std::uint32_t* p) { return _mm512_set1_epi32(static_cast<int>(*p)); }
  static Vec add(Vec sum, Pairs value, Pairs weight) { return dot_pairs(sum, value, weight); }

  template <int V, bool partial>
  static void store(std::uint16_t* p, const Row<V>& columns, int left) {
    if constexpr (V == 2) {
      _mm512_storeu_si512(p, upper_halves(rounded_to_bf16(columns[0]), rounded_to_bf16(columns[1])));
    } else {
      const __m256i narrow = _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded_to_bf16(columns[0]), 16));
      if constexpr (partial) return _mm256_mask_storeu_epi16(p, first_lanes(left), narrow);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow);
    }
  }
};

bool pair_weighted_rows(const std::uint32_t* weights, std::int64_t key_count, const std::uint32_t* values,
                        std::int64_t dim, const float* factor, std::uint16_t* const* rows, int count) {
  return all_rows<RowsOfPairs>(count, {weights, (key_count + 1) / 2, values, dim, factor, rows}, dim);
}

double dot_peak(std::int64_t iterations) {
  const Pairs a = _mm512_set1_epi32(0x3f003f00), b = _mm512_set1_epi32(0x3a003a00);  // pairs of 0.5 and of 0.0005
  return 4 * run_chains(iterations, [&](Vec sum) { return dot_pairs(sum, a, b); });
}

constexpr attune::kernels::PairKernels pair_kernels = {
    .load_rows = load_pair_rows,
    .store_rows = store_pair_rows,
    .scores = pair_scores,
    .softmax = pair_softmax,
    .pair_values = pair_values,
    .weighted_sum = pair_weighted_sum,
    .weighted_sum_and_softmax = pair_weighted_sum_and_softmax,
    .weighted_rows = pair_weighted_rows,
    .load_decode_query = load_decode_query_pairs,
    .decode_scores = decode_pair_scores,
    .decode_softmax = decode_pair_softmax,
    .decode_weighted_sum = decode_pair_weighted_sum,
    .dot_peak = dot_peak,
};

}  // namespace

#else

namespace {

constexpr bool has_pairs = false;
constexpr attune::kernels::PairKernels pair_kernels = {};

}  // namespace

#endif
