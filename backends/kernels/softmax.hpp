// Softmax down the lanes of a block of scores [key][lane].
#pragma once

#include "backends/kernels/vector.hpp"

namespace {

template <bool natural>
inline Vec in_log2(Vec difference) {
  return natural ? difference * Vec(1.442695041f) : difference;
}

/// Scores of one vector of lanes to weights; returns their sum. Four partial sums hide the latency of the
/// additions: which key goes into which depends on its place in the block alone. `natural` scores become units of log2
/// only after the maximum has been subtracted: the lowest finite number times log2 e would be −inf.
template <bool careful, bool natural>
inline Vec exponentiate(float* scores, std::int64_t key_count, Vec largest) {
  const auto weight = [&](std::int64_t key) {
    const Vec score = load(scores + key * tile_lanes);
    Vec p = exp2(in_log2<natural>(score - largest));
    if constexpr (careful) p = xsimd::select(score == minus_infinity(), Vec(-0.0f), p);
    store(scores + key * tile_lanes, p);
    return p;
  };
  Vec sum[4] = {Vec(0.0f), Vec(0.0f), Vec(0.0f), Vec(0.0f)};
  std::int64_t key = 0;
  for (; key + 4 <= key_count; key += 4)
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) sum[i] = sum[i] + weight(key + i);
  for (int i = 0; key < key_count; ++key, ++i) sum[i] = sum[i] + weight(key);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

template <int V, bool careful, bool natural>
bool softmax_block(float* scores, std::int64_t key_count, const float* row_max, float* m, float* l, float* alpha) {
  bool grew = false;
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) {
    const int lane = v * vector_lanes;
    const Vec before = load(m + lane);
    const Vec after = xsimd::max(before, load(row_max + lane));
    // −inf − (−inf) would be NaN: subtract a finite maximum from rows without a score so far. Their weights
    // are exp2(−inf) = 0 all the same.
    const Vec lowest(-__FLT_MAX__);
    const Vec shift = xsimd::max(after, lowest);
    const Vec factor = exp2(in_log2<natural>(xsimd::max(before, lowest) - shift));
    grew = grew || xsimd::any(factor != Vec(1.0f));
    store(alpha + lane, factor);
    store(m + lane, after);
    const Vec sum = exponentiate<careful, natural>(scores + lane, key_count, shift);
    store(l + lane, multiply_add(load(l + lane), factor, sum));
  }
  return grew;
}

template <int V>
void normalise_block(float* weights, std::int64_t key_count, const float* factor) {
  for (std::int64_t key = 0; key < key_count; ++key)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      float* at = weights + key * tile_lanes + v * vector_lanes;
      const Vec weight = load(at);
      // Adding 0 turns the careful mode's −0 into 0.
      store(at, xsimd::select(weight == Vec(0.0f), weight + Vec(0.0f), weight * load(factor + v * vector_lanes)));
    }
}

}  // namespace
