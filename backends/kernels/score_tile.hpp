// Sᵀ = K·Qᵀ: R keys against V vectors of queries.
#pragma once

#include "backends/kernels/keys_of_lanes.hpp"
#include "backends/kernels/prefetch.hpp"
#include "backends/kernels/vector.hpp"
#include "backends/kernels/whole_tiles.hpp"

namespace {

/// scores[r][lane] = Σ_d keys[r][d] · queries[d][lane] for r < R; row_max grows by them. All R·V accumulators stay in
/// registers over the loop.
template <int R, int V, typename P>
inline void score_tile(const float* queries, std::int64_t dim, const float* keys, std::int64_t key_stride,
                       P& prefetcher, float* scores, Row<V>& row_max) {
  Block<R, V> sum;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[r][v] = Vec(0.0f);

  const std::int64_t three_keys = thrice(key_stride);
  prefetching(prefetcher, dim, [&](std::int64_t d) __attribute__((always_inline)) {
    Row<V> q;
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) q[v] = load(queries + d * tile_lanes + v * vector_lanes);
    each_row<R>(keys + d, key_stride, three_keys, [&](int r, const float* at) __attribute__((always_inline)) {
      const Vec k(*at);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[r][v] = multiply_add(k, q[v], sum[r][v]);
    });
  });

#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) {
    Vec largest = row_max[v];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      store(scores + r * tile_lanes + v * vector_lanes, sum[r][v]);
      largest = xsimd::max(largest, sum[r][v]);
    }
    row_max[v] = largest;
  }
}

/// The last, incomplete tile: fewer rows, the same arithmetic in each.
template <int R, int V>
inline void score_tail(int rows, const float* queries, std::int64_t dim, const float* keys, std::int64_t key_stride,
                       float* scores, Row<V>& row_max) {
  if constexpr (R > 0) {
    NoPrefetcher none;
    if (rows == R)
      score_tile<R, V>(queries, dim, keys, key_stride, none, scores, row_max);
    else
      score_tail<R - 1, V>(rows, queries, dim, keys, key_stride, scores, row_max);
  }
}

template <int V, typename P>
void score_tiles(const float* queries, std::int64_t dim, const float* keys, std::int64_t key_stride,
                 std::int64_t key_count, P prefetcher, float* scores, float* row_max) {
  Row<V> largest;
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) largest[v] = minus_infinity();
  const std::int64_t done = for_whole_tiles<V>(key_count, [&]<int R>(std::int64_t key) {
    score_tile<R, V>(queries, dim, keys + key * key_stride, key_stride, prefetcher, scores + key * tile_lanes, largest);
  });
  prefetcher.begin_share();
  prefetcher.end_share();
  score_tail<tile_rows - 1, V>(static_cast<int>(key_count - done), queries, dim, keys + done * key_stride, key_stride,
                               scores + done * tile_lanes, largest);
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) store(row_max + v * vector_lanes, largest[v]);
}

template <int V>
void score_block(const float* queries, std::int64_t dim, const float* keys, std::int64_t key_stride, KeysOfLanes count,
                 const attune::kernels::Ahead& ahead, float* scores, float* row_max) {
  with_prefetcher(ahead, count_tiles<V>(count.lower), [&](auto prefetcher) {
    score_tiles<V>(queries, dim, keys, key_stride, count.lower, prefetcher, scores, row_max);
  });
  if (V == 1 || count.lower == count.all) return;
  score_upper(row_max, [&](float* upper_max) {
    score_tiles<1>(queries + vector_lanes, dim, keys + count.lower * key_stride, key_stride, count.all - count.lower,
                   NoPrefetcher(), scores + count.lower * tile_lanes + vector_lanes, upper_max);
  });
}

}  // namespace
