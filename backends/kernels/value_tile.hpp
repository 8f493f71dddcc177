// Oᵀ += Vᵀ·Pᵀ: C columns of the values against V vectors of weights.
#pragma once

#include "backends/kernels/kernels.hpp"
#include "backends/kernels/keys_of_lanes.hpp"
#include "backends/kernels/prefetch.hpp"
#include "backends/kernels/softmax.hpp"
#include "backends/kernels/vector.hpp"
#include "backends/kernels/whole_tiles.hpp"

namespace {

/// What a block's sums do to `out`. They begin with 0 and join it once: one chain of roundings over thousands of keys
/// would drift where all terms are of one sign.
template <int C, int V>
inline void add_columns(const Block<C, V>& sum, Start start, const float* alpha, float* out) {
  const auto store_each = [&](auto joint) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        float* const at = out + c * tile_lanes + v * vector_lanes;
        store(at, joint(at, v, sum[c][v]));
      }
  };
  if (start == Start::zero) return store_each([](const float*, int, Vec x) { return x; });
  if (start == Start::add) return store_each([](const float* at, int, Vec x) { return load(at) + x; });
  Row<V> factor;
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) factor[v] = load(alpha + v * vector_lanes);
  store_each([&](const float* at, int v, Vec x) { return multiply_add(load(at), factor[v], x); });
}

/// out[c][lane] = start(out) + Σ_key values[key][c] · weights[key][lane] for c < C.
template <int C, int V, bool careful, typename P>
inline void value_tile(const float* weights, KeysOfLanes keys, const float* values, std::int64_t value_stride,
                       P& prefetcher, Start start, const float* alpha, float* out) {
  Block<C, V> sum;
#pragma GCC unroll 16
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[c][v] = Vec(0.0f);
  const auto add = [&]<int first>(std::int64_t key) __attribute__((always_inline)) {
    Row<V> p;
#pragma GCC unroll 2
    for (int v = first; v < V; ++v) p[v] = load(weights + key * tile_lanes + v * vector_lanes);
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) {
      const Vec value(values[key * value_stride + c]);
#pragma GCC unroll 2
      for (int v = first; v < V; ++v) {
        const Vec next = multiply_add(value, p[v], sum[c][v]);
        sum[c][v] = careful ? xsimd::select(attended(p[v]), next, sum[c][v]) : next;
      }
    }
  };
  prefetching(prefetcher, keys.lower,
              [&](std::int64_t key) __attribute__((always_inline)) { add.template operator()<0>(key); });
  if constexpr (V == 2)
    for (std::int64_t key = keys.lower; key < keys.all; ++key) add.template operator()<1>(key);
  add_columns<C, V>(sum, start, alpha, out);
}

/// The last, incomplete tile: fewer columns, the same arithmetic in each.
template <int C, int V, bool careful>
inline void value_tail(int columns, const float* weights, KeysOfLanes keys, const float* values,
                       std::int64_t value_stride, Start start, const float* alpha, float* out) {
  if constexpr (C > 0) {
    NoPrefetcher none;
    if (columns == C)
      value_tile<C, V, careful>(weights, keys, values, value_stride, none, start, alpha, out);
    else
      value_tail<C - 1, V, careful>(columns, weights, keys, values, value_stride, start, alpha, out);
  }
}

template <int V, bool careful, typename P>
void value_tiles(const float* weights, KeysOfLanes keys, const float* values, std::int64_t value_stride,
                 std::int64_t dim, P prefetcher, Start start, const float* alpha, float* out) {
  const std::int64_t done = for_whole_tiles<V>(dim, [&]<int C>(std::int64_t column) {
    value_tile<C, V, careful>(weights, keys, values + column, value_stride, prefetcher, start, alpha,
                              out + column * tile_lanes);
  });
  prefetcher.begin_share();
  prefetcher.end_share();
  value_tail<tile_rows - 1, V, careful>(static_cast<int>(dim - done), weights, keys, values + done, value_stride, start,
                                        alpha, out + done * tile_lanes);
}

template <int V, bool careful>
void value_block(const float* weights, KeysOfLanes keys, const float* values, std::int64_t value_stride,
                 std::int64_t dim, const attune::kernels::Ahead& ahead, Start start, const float* alpha, float* out) {
  with_prefetcher(ahead, count_tiles<V>(dim), [&](auto prefetcher) {
    value_tiles<V, careful>(weights, keys, values, value_stride, dim, prefetcher, start, alpha, out);
  });
}

}  // namespace
