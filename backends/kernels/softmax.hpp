// Softmax down the lanes of a block of scores [key][lane].
#pragma once

#include "backends/kernels/vector.hpp"

namespace {

template <bool natural>
inline Vec in_log2(Vec difference) {
  return natural ? difference * Vec(1.442695041f) : difference;
}

/// Scores of N neighbouring keys to weights, in one vector of lanes; returns their sum, which is the same as if keys of
/// weight 0 had followed them. `natural` scores become units of log2 only after the maximum has been subtracted:
/// the lowest finite number times log2 e would be −inf.
template <int N, bool careful, bool natural>
[[gnu::always_inline]] inline Vec weigh(float* scores, Vec largest) {
  Row<N> score, p;
  each<N>([&](int i) { score[i] = load(scores + i * tile_lanes); });
  each<N>([&](int i) { p[i] = in_log2<natural>(score[i] - largest); });
  exp2_all<N>(p);
  if constexpr (careful) each<N>([&](int i) { p[i] = xsimd::select(score[i] == minus_infinity(), Vec(-0.0f), p[i]); });
  each<N>([&](int i) { store(scores + i * tile_lanes, p[i]); });
  if constexpr (N == 4) return (p[0] + p[1]) + (p[2] + p[3]);
  if constexpr (N == 3) return (p[0] + p[1]) + p[2];
  if constexpr (N == 2) return p[0] + p[1];
  return p[0];
}

/// Scores of one vector of lanes to weights; returns their sum. Which keys are added first depends on their place in
/// the block alone.
template <bool careful, bool natural>
inline Vec exponentiate(float* scores, std::int64_t key_count, Vec largest) {
  Vec sum(0.0f);
  for (; key_count >= 4; key_count -= 4, scores += 4 * tile_lanes)
    sum = sum + weigh<4, careful, natural>(scores, largest);
  if (key_count == 3) return sum + weigh<3, careful, natural>(scores, largest);
  if (key_count == 2) return sum + weigh<2, careful, natural>(scores, largest);
  if (key_count == 1) return sum + weigh<1, careful, natural>(scores, largest);
  return sum;
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
