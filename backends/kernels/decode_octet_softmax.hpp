// Softmax of scores in octets (decode_octets.hpp): rows lie in lanes, each in as many as keys in a vector, so nothing
// is done row by row but the end.
#pragma once

#include "backends/kernels/decode_octets.hpp"
#include "backends/kernels/softmax.hpp"

namespace {

/// The first of a unit's blocks of an octet, and how many units there are.
struct OctetBlocks {
  float* first;
  std::int64_t apart, count;
  float* operator[](std::int64_t unit) const { return first + unit * apart; }
};

/// Keys of a unit that there are not get scores of −inf; `left` of them there are.
template <int rows>
inline void end_unit(float* block, int left) {
  for (int key = left; key < unit_keys; ++key)
    for (int row = 0; row < rows; ++row) block[score_place(row, rows, key)] = -__builtin_inff();
}

/// op over the lanes of each row, in all of its lanes.
template <int rows, typename Op>
inline Vec over_row_lanes(Vec x, Op op) {
  if (rows == quad) x = op(x, Vec(_mm512_shuffle_f32x4(x, x, 0x4e)));
  return op(x, Vec(_mm512_permute_ps(x, 0x4e)));
}

template <int rows>
inline void store_row_lanes(Vec x, float* to) {
  alignas(64) float lanes[vector_lanes];
  store(lanes, x);
  each<rows>([&](int r) { to[r] = lanes[octet_lane(r, 0)]; });
}

/// As softmax_row_in() for an octet or half of one; weights become pairs.
template <int rows, bool natural>
inline void octet_softmax(const OctetBlocks& blocks, float* m, float* l) {
  Vec largest[2] = {minus_infinity(), minus_infinity()};
  for (std::int64_t unit = 0; unit < blocks.count; ++unit)
    each<rows>([&](int v) { largest[v % 2] = xsimd::max(largest[v % 2], load(blocks[unit] + v * vector_lanes)); });
  const auto larger = [](Vec a, Vec b) { return xsimd::max(a, b); };
  const Vec maximum = over_row_lanes<rows>(larger(largest[0], largest[1]), larger);
  const Vec shift = finite_maximum(maximum);
  Vec sum[2] = {Vec(0.0f), Vec(0.0f)};
  for (std::int64_t unit = 0; unit < blocks.count; ++unit)
    for (int v = 0; v < rows; v += 4) {
      const float* from = blocks[unit] + v * vector_lanes;
      Row<4> score, p;
      each<4>([&](int i) { score[i] = load(from + i * vector_lanes); });
      each<4>([&](int i) { p[i] = in_log2<natural>(score[i] - shift); });
      exp2_all<4, 4>(p);
      each<4>([&](int i) { p[i] = xsimd::select(score[i] == minus_infinity(), Vec(-0.0f), p[i]); });
      each<4>([&](int i) { sum[i % 2] = sum[i % 2] + p[i]; });
      each<2>([&](int i) {
        _mm512_store_si512(blocks[unit] + (v / 2 + i) * vector_lanes, pair_of(p[2 * i], p[2 * i + 1]));
      });
    }
  store_row_lanes<rows>(maximum, m);
  store_row_lanes<rows>(over_row_lanes<rows>(sum[0] + sum[1], [](Vec a, Vec b) { return a + b; }), l);
}

void octets_softmax(float* scores, int rows, std::int64_t key_count, bool natural, float* m, float* l) {
  const std::int64_t units = (key_count + unit_keys - 1) / unit_keys;
  const int left = static_cast<int>(key_count - (units - 1) * unit_keys);
  for (int row = 0; row < rows; row += octet) {
    const OctetOf of(row, rows);
    const OctetBlocks blocks{scores + of.floats, unit_floats(rows), units};
    const bool whole = of.rows == octet;
    if (left < unit_keys) (whole ? end_unit<octet> : end_unit<quad>)(blocks[units - 1], left);
    const auto softmax = whole ? (natural ? octet_softmax<octet, true> : octet_softmax<octet, false>)
                               : (natural ? octet_softmax<quad, true> : octet_softmax<quad, false>);
    softmax(blocks, m + row, l + row);
  }
}

}  // namespace
