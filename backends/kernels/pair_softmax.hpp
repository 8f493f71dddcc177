// Softmax down the lanes of a block of scores, to weights in pairs of bf16: what f32 weights would cost in stores and
// loads is saved. Needs vcvtne2ps2bf16; pair_kernels.hpp includes this file where there is that instruction.
#pragma once

#include "backends/kernels/pairs.hpp"
#include "backends/kernels/softmax.hpp"
#include "backends/kernels/vector.hpp"
#include "backends/kernels/weigher.hpp"

namespace {

/// N neighbouring keys of one vector of lanes; a last key without a neighbour gets one of weight 0, with careful mode's
/// mark: the pair of values may hold a key behind the last.
template <int N, bool careful, typename Exponent>
[[gnu::always_inline]] inline Vec weigh_pairs(const float* scores, Exponent exponent, float* pairs) {
  Row<N> p;
  weights_of<N, 4, careful>(scores, exponent, p);
  each<(N + 1) / 2>([&](int i) {
    const Vec high = 2 * i + 1 < N ? p[2 * i + 1] : Vec(careful ? -0.0f : 0.0f);
    _mm512_store_si512(pairs + i * tile_lanes, pair_of(p[2 * i], high));
  });
  return sum_of<N>(p);
}

template <bool careful, typename Exponent>
inline Vec exponentiate_pairs(float* scores, std::int64_t key_count, Exponent exponent) {
  Vec sum(0.0f);
  float* pairs = scores;  // never ahead of the scores that are still to be read
  for (; key_count >= 4; key_count -= 4, scores += 4 * tile_lanes, pairs += 2 * tile_lanes)
    sum = sum + weigh_pairs<4, careful>(scores, exponent, pairs);
  if (key_count == 3) return sum + weigh_pairs<3, careful>(scores, exponent, pairs);
  if (key_count == 2) return sum + weigh_pairs<2, careful>(scores, exponent, pairs);
  if (key_count == 1) return sum + weigh_pairs<1, careful>(scores, exponent, pairs);
  return sum;
}

template <bool careful, bool natural>
bool pair_softmax_lanes(float* scores, std::int64_t key_count, float scale, const float* row_max, float* m, float* l,
                        float* alpha) {
  const Vec factor(scale);
  return advance<natural>(load(row_max) * factor, m, l, alpha, [&](Vec shift) {
    return exponentiate_pairs<careful>(scores, key_count, [factor, shift](Vec score) {
      // Natural scores come scaled.
      return natural ? in_log2<natural>(score - shift) : multiply_add(score, factor, -shift);
    });
  });
}

bool pair_softmax(float* scores, std::int64_t key_count, int vectors, bool natural, bool careful, float scale,
                  const float* row_max, float* m, float* l, float* alpha) {
  const auto lanes = natural ? (careful ? pair_softmax_lanes<true, true> : pair_softmax_lanes<false, true>)
                             : (careful ? pair_softmax_lanes<true, false> : pair_softmax_lanes<false, false>);
  bool grew = false;
  for (int lane = 0; lane < vectors * vector_lanes; lane += vector_lanes)
    grew |= lanes(scores + lane, key_count, scale, row_max + lane, m + lane, l + lane, alpha + lane);
  return grew;
}

/// For a Weigher.
struct WeightsInPairs {
  static constexpr int vectors_of_four = 2;
  static Vec largest(Vec row_max, const SoftmaxStep& step) { return row_max * Vec(step.scale); }
  static Vec kept(Vec shift) { return -shift; }
  template <int N>
  [[gnu::always_inline]] static Vec weigh(const float* scores, Vec minus_shift, const SoftmaxStep& step, float* pairs) {
    const Vec factor(step.scale);
    return weigh_pairs<N, false>(
        scores, [factor, minus_shift](Vec score) { return multiply_add(score, factor, minus_shift); }, pairs);
  }
};

}  // namespace
