// Values of few queries on pairs of bf16 (vdpbf16ps): pairs are of keys that are used one after the other, interleaved
// in registers. That leaves columns in an order of its own, which all sums keep until they are complete.
#pragma once

#include "backends/kernels/decode_values.hpp"
#include "backends/kernels/pairs.hpp"

namespace {

/// The first `count` ≤ 32 elements, and 0 behind them.
inline Pairs load_some_pairs(const std::uint16_t* p, int count) {
  return _mm512_maskz_loadu_epi16(static_cast<__mmask32>((std::uint64_t{1} << count) - 1), p);
}

/// Two keys at a time. A last one without a neighbour has one of value 0. Columns lie as columns_in_order() takes them.
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
      const PairsOfRows both = interleave_in_quarters(row(p, first), row(p + at.apart, last));
      v[c] = _mm512_castsi512_ps(both.first);
      v[c + 1] = _mm512_castsi512_ps(both.last);
    }
  }

  static Vec add(Vec sum, Pairs weight, Vec values) { return dot_pairs(sum, _mm512_castps_si512(values), weight); }

 private:
  static bool marked(std::uint16_t weight) { return weight == 0x8000; }
};

/// Sums of `dim` columns, rounded up to 32, from the order that interleave_in_quarters() leaves them in.
void columns_in_order(float* sums, std::int64_t dim) {
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i last = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  for (std::int64_t c = 0; c < dim; c += row_elements) {
    const __m512 a = load(sums + c), b = load(sums + c + vector_lanes);
    store(sums + c, _mm512_permutex2var_ps(a, first, b));
    store(sums + c + vector_lanes, _mm512_permutex2var_ps(a, last, b));
  }
}

}  // namespace
