// The score and value tiles on pairs of bf16 (vdpbf16ps): two products a lane and instruction, twice the rate of f32.
// The same shapes as score_tile.hpp and value_tile.hpp; each 32-bit lane holds a pair of neighbours: of head dims in
// queries and keys, of keys in weights and values.
#pragma once

#include "backends/kernels/keys_of_lanes.hpp"
#include "backends/kernels/pair_softmax.hpp"
#include "backends/kernels/pairs.hpp"
#include "backends/kernels/prefetch.hpp"
#include "backends/kernels/whole_tiles.hpp"

namespace {

using attune::kernels::Ahead;

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

}  // namespace
