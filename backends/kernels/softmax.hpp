// Softmax down the lanes of a block of scores [key][lane].
#pragma once

#include "backends/kernels/kernels.hpp"
#include "backends/kernels/vector.hpp"

namespace {

using attune::kernels::Start;
using attune::kernels::TileState;

/// `natural` scores become units of log2 only after the maximum has been subtracted: the lowest finite number times
/// log2 e would be −inf.
template <bool natural>
inline Vec in_log2(Vec difference) {
  return natural ? difference * Vec(1.442695041f) : difference;
}

/// Weights of N neighbouring keys, in one vector of lanes. exponent(score) is what 2 is raised to. Careful mode marks
/// keys by −0.
template <int N, int degree, bool careful, typename Exponent>
[[gnu::always_inline]] inline void weights_of(const float* scores, Exponent exponent, Row<N>& p) {
  Row<N> score;
  each<N>([&](int i) { score[i] = load(scores + i * tile_lanes); });
  each<N>([&](int i) { p[i] = exponent(score[i]); });
  exp2_all<N, degree>(p);
  if constexpr (careful) each<N>([&](int i) { p[i] = xsimd::select(score[i] == minus_infinity(), Vec(-0.0f), p[i]); });
}

/// Not the mark −0 of a key that the lane does not attend? A comparison cannot tell −0 from 0, its inverse can;
/// NaN counts as attended.
inline xsimd::batch_bool<float, Arch> attended(Vec weight) { return !(Vec(1.0f) / weight == minus_infinity()); }

/// Their sum, the same as if keys of weight 0 had followed them.
template <int N>
inline Vec sum_of(const Row<N>& p) {
  if constexpr (N == 4) return (p[0] + p[1]) + (p[2] + p[3]);
  if constexpr (N == 3) return (p[0] + p[1]) + p[2];
  if constexpr (N == 2) return p[0] + p[1];
  return p[0];
}

/// Scores to weights in place; returns the sum.
template <int N, bool careful, bool natural>
[[gnu::always_inline]] inline Vec weigh(float* scores, Vec largest) {
  Row<N> p;
  weights_of<N, 5, careful>(scores, [largest](Vec score) { return in_log2<natural>(score - largest); }, p);
  each<N>([&](int i) { store(scores + i * tile_lanes, p[i]); });
  return sum_of<N>(p);
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

/// −inf − (−inf) would be NaN: a finite maximum is subtracted from rows without a score so far. Their weights are
/// exp2(−inf) = 0 all the same.
inline Vec finite_maximum(Vec m) { return xsimd::max(m, Vec(-__FLT_MAX__)); }

/// What a sum under the maximum m is worth under the larger maximum `joint`; 1 where they are the same.
template <bool natural>
inline Vec rescaling(Vec m, Vec joint) {
  return exp2(in_log2<natural>(finite_maximum(m) - finite_maximum(joint)));
}

/// One step of the running maximum of one vector of lanes, which leaves in alpha what sums under the old one are worth.
/// Returns what is to be subtracted from scores.
template <bool natural>
inline Vec raise_maximum(Vec row_max, float* m, float* alpha) {
  const Vec before = load(m);
  const Vec after = xsimd::max(before, row_max);
  store(alpha, rescaling<natural>(before, after));
  store(m, after);
  return finite_maximum(after);
}

inline bool grew(Vec alpha) { return xsimd::any(alpha != Vec(1.0f)); }

/// One step of the running maximum and sum. exponentials(shift) gives the block's weights where they are wanted, under
/// the maximum `shift`, and returns their sum. Did the maximum grow?
template <bool natural, typename Exponentials>
inline bool advance(Vec row_max, float* m, float* l, float* alpha, Exponentials exponentials) {
  const Vec shift = raise_maximum<natural>(row_max, m, alpha);
  const Vec factor = load(alpha);
  store(l, multiply_add(load(l), factor, exponentials(shift)));
  return grew(factor);
}

template <int V, bool careful, bool natural>
bool softmax_block(float* scores, std::int64_t key_count, const float* row_max, float* m, float* l, float* alpha) {
  bool grew = false;
#pragma GCC unroll 2
  for (int lane = 0; lane < V * vector_lanes; lane += vector_lanes)
    grew |= advance<natural>(load(row_max + lane), m + lane, l + lane, alpha + lane, [&](Vec shift) {
      return exponentiate<careful, natural>(scores + lane, key_count, shift);
    });
  return grew;
}

template <bool natural>
void join_vectors(const TileState& later, std::int64_t dim, int vectors, Start start, const TileState& state) {
  for (int lane = 0; lane < vectors * vector_lanes; lane += vector_lanes) {
    const Vec m = load(state.m + lane), later_m = load(later.m + lane);
    const Vec joint = xsimd::max(m, later_m);
    const Vec mine = rescaling<natural>(m, joint), theirs = rescaling<natural>(later_m, joint);
    store(state.m + lane, joint);
    store(state.l + lane, multiply_add(load(state.l + lane), mine, load(later.l + lane) * theirs));
    for (std::int64_t i = lane; i < dim * tile_lanes; i += tile_lanes) {
      const Vec added = load(later.out + i) * theirs;
      store(state.out + i, start == Start::zero ? added : multiply_add(load(state.out + i), mine, added));
    }
  }
}

void normalisers(const float* l, int vectors, float* factor) {
  for (int v = 0; v < vectors; ++v) {
    const Vec sum = load(l + v * vector_lanes);
    store(factor + v * vector_lanes, xsimd::select(sum == Vec(0.0f), Vec(0.0f), Vec(1.0f) / sum));
  }
}

template <int V>
void normalise_block(float* weights, std::int64_t key_count, const float* factor) {
  for (std::int64_t key = 0; key < key_count; ++key)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      float* at = weights + key * tile_lanes + v * vector_lanes;
      const Vec weight = load(at);
      store(at, xsimd::select(attended(weight), weight * load(factor + v * vector_lanes), Vec(0.0f)));
    }
}

}  // namespace
