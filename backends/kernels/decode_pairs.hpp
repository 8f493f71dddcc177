// The products of a decode on pairs of bf16 (vdpbf16ps): half of the instructions that widened elements take. Pairs are
// of neighbouring head dims in queries and keys, as they lie in memory, and of keys that are used one after the other
// in weights and values: weights are rounded to bf16, values interleaved in registers.
#pragma once

#include "backends/kernels/decode_quads.hpp"
#include "backends/kernels/decode_softmax.hpp"
#include "backends/kernels/decode_values.hpp"
#include "backends/kernels/pairs.hpp"

namespace {

/// The first `count` ≤ 32 elements, and 0 behind them.
inline Pairs load_some_pairs(const std::uint16_t* p, int count) {
  return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((std::uint64_t{1} << count) - 1), p);
}

struct PairScores {
  using Query = std::uint16_t;
  using Operand = Pairs;
  static constexpr Element element = Element::bf16;
  static constexpr int width = row_elements;
  static Operand query(const Query* p) { return _mm512_load_si512(p); }
  static Operand load(const std::uint16_t* p) { return in_register(_mm512_loadu_si512(p)); }
  static Operand load_part(const std::uint16_t* p, int count) { return load_some_pairs(p, count); }
  static Vec add(Vec sum, Operand key, Operand query) { return dot_pairs(sum, key, query); }
};

/// Four pairs of each of four rows.
struct QuadPairScores {
  using Query = std::uint16_t;
  using Operand = Pairs;
  static constexpr Element element = Element::bf16;
  static Operand query(const Query* p) { return in_register(_mm512_load_si512(p)); }
  static Operand key(const std::uint16_t* p) {
    return in_register(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static Operand key_part(const std::uint16_t* p, int count) {
    return _mm512_broadcast_i32x4(_mm_maskz_loadu_epi16(static_cast<__mmask8>((1u << count) - 1), p));
  }
  static Vec add(Vec sum, Operand key, Operand query) { return dot_pairs(sum, key, query); }
};

void load_decode_query_pairs(const std::uint16_t* query, std::int64_t dim, int row, int rows, std::int64_t pitch,
                             std::uint16_t* queries) {
  load_query_of([=](std::int64_t d) { return query[d]; }, dim, in_quads(rows), row, pitch, queries);
}

void decode_pair_scores(const std::uint16_t* queries, int rows, std::int64_t pitch, std::int64_t dim, float scale,
                        const StoredRows& keys, float* scores, std::int64_t score_pitch) {
  const auto of = in_quads(rows) ? quad_scores_of<QuadPairScores> : decode_scores_of<PairScores>;
  of(queries, rows, pitch, dim, scale, {keys, dim}, scores, score_pitch);
}

/// Two keys at a time. A last one without a neighbour has one of value 0.
struct PairValues {
  using Weight = std::uint16_t;
  static constexpr Element element = Element::bf16;
  static constexpr int keys = 2;
  static constexpr int vectors = 2;
  static constexpr int most_rows = 6;
  static constexpr int columns(int rows) { return rows <= 2 ? 8 : 4; }

  static Pairs weight(const Weight* p) { return broadcast_pair(p); }

  template <int C, bool careful>
  static void load(const ValuesAt<std::uint16_t>& at, const Weight* weights, Row<C>& v) {
    const bool first = !careful || !marked(weights[0]);
    const bool last = at.left > 1 && (!careful || !marked(weights[1]));
    const auto row = [&](const std::uint16_t* p, bool attended) {
      if (!attended) return _mm512_setzero_si512();
      return C == 2 && at.part > 0 ? load_some_pairs(p, at.part) : _mm512_loadu_si512(p);
    };
#pragma GCC unroll 4
    for (int c = 0; c < C; c += 2) {
      const std::uint16_t* p = at.row + c * vector_lanes;
      const PairsOfRows both = interleave(row(p, first), row(p + at.apart, last));
      v[c] = _mm512_castsi512_ps(both.first);
      v[c + 1] = _mm512_castsi512_ps(both.last);
    }
  }

  static Vec add(Vec sum, Pairs weight, Vec values) { return dot_pairs(sum, _mm512_castps_si512(values), weight); }

 private:
  static bool marked(std::uint16_t weight) { return weight == 0x8000; }
};

void decode_pair_weighted_sum(const std::uint16_t* weights, int rows, std::int64_t weight_pitch,
                              const StoredRows& values, std::int64_t dim, bool careful, float* sums,
                              std::int64_t pitch) {
  decode_weighted_sum_of<PairValues>({weights, weight_pitch}, rows, {values, dim}, dim, careful, {sums, pitch});
}

void decode_pair_softmax(float* scores, std::int64_t key_count, bool natural, float* m, float* l) {
  softmax_row_of<4>(scores, key_count, natural, m, l, [=](const Vec* weights, std::int64_t key) {
    _mm512_store_si512(scores + key / 2, (Pairs)_mm512_cvtne2ps_pbh(weights[1], weights[0]));
  });
}

}  // namespace
