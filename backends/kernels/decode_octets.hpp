// Scores of rows by eights, on pairs of bf16: two pairs of each of eight rows of queries against the same two of a key
// in every eighth of a vector. What is left to add up at the end are two lanes where whole rows leave sixteen. Four
// rows more take a vector of their own, half of which meets another key: so no lane is idle for any multiple of four.
// In exchange a key's elements come 8 bytes at a time, in as many loads as multiply-adds for a single octet: so this is
// for eight rows and more. By fours they would come 16 bytes at a time, but a Zen 5 core wants more than a load to
// spread those (75 % of the products' peak where this comes to 90).
//
// The scores stay as they come, since to make rows of them costs a tenth: octet by octet for every unit of 16 keys.
#pragma once

#include "backends/kernels/decode_queries.hpp"
#include "backends/kernels/decode_scores.hpp"
#include "backends/kernels/pairs.hpp"

namespace {

constexpr int octet = 8;                 // rows in a vector, two lanes each; `quad` of them in half of one
constexpr std::int64_t octet_width = 4;  // elements of each row in a vector: two pairs

constexpr int unit_keys = 16;

/// Floats from one octet of a unit to the next. Vectors by turns have the even and the odd keys of 4, and those of half
/// an octet, which is the last, of 8: so two of them become one of pairs of weights, lane by lane, in the place of the
/// first scores. A quarter of the lanes has two rows, whose next two lanes are those of the next even or odd key; the
/// upper half of half an octet has the keys that the lower one leaves out.
constexpr std::int64_t octet_floats = octet * unit_keys;

/// The lane of a row's key in its octet, or in half of one.
constexpr int octet_lane(int row, int key) { return row / 2 * 4 + key / 2 % 2 * 2 + row % 2; }
constexpr int half_octet_lane(int row, int key) { return key / 2 % 2 * 8 + row / 2 * 4 + key / 4 % 2 * 2 + row % 2; }

constexpr std::int64_t unit_floats(int rows) { return static_cast<std::int64_t>(rows) * unit_keys; }

/// Where the first block of a row's octet is in any unit, and how many rows it has.
struct OctetOf {
  constexpr OctetOf(int row, int all)
      : first(row - row % octet), rows(first + octet <= all ? octet : quad), floats(row / octet * octet_floats) {}
  int first, rows;
  std::int64_t floats;
};

/// Where a unit has the vector of even keys that holds one of a row's, counted in pairs of vectors, and its lane.
struct PlaceInUnit {
  PlaceInUnit(const OctetOf& of, int row, int key)
      : vector(key / (of.rows == octet ? 4 : 8)),
        lane(of.rows == octet ? octet_lane(row - of.first, key) : half_octet_lane(row - of.first, key)) {}
  int vector, lane;
};

/// Where a row's score of a key is.
inline std::int64_t score_place(int row, int rows, std::int64_t key) {
  const OctetOf of(row, rows);
  const PlaceInUnit at(of, row, static_cast<int>(key % unit_keys));
  return key / unit_keys * unit_floats(rows) + of.floats + (2 * at.vector + key % 2) * vector_lanes + at.lane;
}

/// And its weight, in elements of bf16.
inline std::int64_t weight_place(int row, int rows, std::int64_t key) {
  const OctetOf of(row, rows);
  const PlaceInUnit at(of, row, static_cast<int>(key % unit_keys));
  return 2 * (key / unit_keys * unit_floats(rows) + of.floats + at.vector * vector_lanes + at.lane) + key % 2;
}

constexpr int most_octet_quads = 6;  // rows by fours that take a key together

/// Keys that so many octets of rows meet at once.
template <int whole>
constexpr int octet_keys = whole == 1 ? unit_keys : unit_keys / 2;

/// The keys of a unit: by eights evenly spaced, or each somewhere.
template <typename T, bool spaced>
class UnitKeys {
 public:
  explicit UnitKeys(const T* const* keys) : keys_(keys), apart_(keys[1] - keys[0]), thrice_(3 * apart_) {
    __asm__("" : "+r"(thrice_));
  }

  /// The d-th elements of the keys first … first + 3, first being a multiple of 4.
  template <typename P>
  [[gnu::always_inline]] void load_four(int first, std::int64_t d, typename P::Operand* four) const {
    const T* at = keys_[first] + d;
    __asm__("" : "+r"(at));
    four[0] = P::key(at);
    four[1] = P::key(spaced ? at + apart_ : keys_[first + 1] + d);
    four[2] = P::key(spaced ? at + 2 * apart_ : keys_[first + 2] + d);
    four[3] = P::key(spaced ? at + thrice_ : keys_[first + 3] + d);
  }

  /// The last `count` elements from the d-th on.
  template <typename P>
  [[gnu::always_inline]] void load_four_parts(int first, std::int64_t d, int count, typename P::Operand* four) const {
    each<4>([&](int k) { four[k] = P::key_part(keys_[first + k] + d, count); });
  }

 private:
  const T* const* keys_;
  std::int64_t apart_, thrice_;
};

/// Sums of lanes two by two, in each quarter those of a before those of b.
inline Vec sums_of_eighths(Vec a, Vec b) {
  return Vec(_mm512_shuffle_ps(a, b, 0x88)) + Vec(_mm512_shuffle_ps(a, b, 0xdd));
}

/// What so many octets, and half of one more, and octet_keys<whole> keys come to. Half an octet meets two keys at once,
/// two apart.
template <typename P, int whole, bool half>
class OctetSums {
 public:
  using Operand = typename P::Operand;
  static constexpr int keys = octet_keys<whole>;
  static constexpr int queries = whole + (half ? 1 : 0);

  OctetSums() {
    each<keys>([&](int k) {
      each<whole>([&](int o) { of_[o][k] = Vec(0.0f); });
      of_half_[k / 2] = Vec(0.0f);
    });
  }

  [[gnu::always_inline]] void add_four(int first, const Operand* four, const Operand* query) {
    each<4>([&](int k) __attribute__((always_inline)) {
      each<whole>([&](int o) { of_[o][first + k] = P::add(of_[o][first + k], four[k], query[o]); });
    });
    if (half)
      each<2>([&](int k) {
        Vec& sum = of_half_[first / 2 + k];
        sum = P::add(sum, P::halves(four[k], four[k + 2]), query[whole]);
      });
  }

  /// As scores of a unit, of which these keys are those from the first-th on.
  [[gnu::always_inline]] void store_scaled(Vec scale, int first, float* unit) const {
    const auto store_sums = [=](Vec a, Vec b, float* to) { store(to, sums_of_eighths(a, b) * scale); };
    each<keys / 2>([&](int v) {
      const int key = v / 2 * 4 + v % 2;
      float* const to = unit + (first / 2 + v) * vector_lanes;
      each<whole>([&](int o) { store_sums(of_[o][key], of_[o][key + 2], to + o * octet_floats); });
    });
    if (half)
      each<keys / 4>([&](int v) {
        const int two = v / 2 * 4 + v % 2;
        float* const to = unit + whole * octet_floats + (first / 4 + v) * vector_lanes;
        store_sums(of_half_[two], of_half_[two + 2], to);
      });
  }

 private:
  Block<whole, keys> of_;
  Row<keys / 2> of_half_;
};

/// The scores of octet_keys<whole> keys of the unit from `first` on.
template <typename P, int whole, bool half, bool spaced>
[[gnu::always_inline]] inline void octet_score_tile(const typename P::Query* queries, std::int64_t pitch,
                                                    std::int64_t dim, const KeysInTurn<P::element>& keys, int first,
                                                    Share share, Vec scale, float* unit) {
  using Type = StoredAs<P::element>;
  using Operand = typename P::Operand;
  using Sums = OctetSums<P, whole, half>;
  constexpr std::int64_t line = line_elements<Type>;
  const UnitKeys<Type, spaced> rows(keys.key + first);
  Sums sums;
  const auto multiply = [&](std::int64_t d, auto load_four) __attribute__((always_inline)) {
    Operand query[static_cast<std::size_t>(Sums::queries)];
    each<whole>([&](int o) { query[o] = P::query(queries + octet * (o * pitch + d)); });
    if constexpr (half) query[whole] = P::query_of_half(queries + octet * whole * pitch + quad * d);
    each<Sums::keys / 4>([&](int group) __attribute__((always_inline)) {
      Operand four[4];
      load_four(4 * group, four);
      sums.add_four(4 * group, four, query);
    });
  };
  const auto step = [&](std::int64_t d) __attribute__((always_inline)) {
    multiply(d, [&](int key, Operand* four) { rows.template load_four<P>(key, d, four); });
  };
  const auto part = [&](std::int64_t d, int left) {
    multiply(d, [&](int key, Operand* four) { rows.template load_four_parts<P>(key, d, left, four); });
  };
  AskingForKeys<P, Sums::keys, false> asking(keys, first);
  const auto ask = [&](std::int64_t d, int i) __attribute__((always_inline)) {
    asking.template ask<static_cast<int>(line / octet_width)>(d, i);
  };
  over_dims<line, octet_width>(dim, share, ask, step, part);
  sums.store_scaled(scale, first, unit);
}

template <typename P, int whole, bool half, bool spaced>
void octet_score_unit(const typename P::Query* queries, std::int64_t pitch, std::int64_t dim,
                      const KeysInTurn<P::element>& keys, Share share, float scale, float* scores) {
  for (int first = 0; first < unit_keys; first += octet_keys<whole>)
    octet_score_tile<P, whole, half, spaced>(queries, pitch, dim, keys, first, share, Vec(scale), scores);
}

template <typename P, bool spaced>
constexpr auto octet_score_unit_of(int octets, bool half) {
  if (octets == 1) return half ? octet_score_unit<P, 1, true, spaced> : octet_score_unit<P, 1, false, spaced>;
  if (octets == 2) return half ? octet_score_unit<P, 2, true, spaced> : octet_score_unit<P, 2, false, spaced>;
  return octet_score_unit<P, 3, false, spaced>;
}

/// Octets that take a key together, from the first-th on, and their kernels for keys that are spaced or not.
template <typename P>
struct OctetGroup {
  using Kernel = void (*)(const typename P::Query*, std::int64_t, std::int64_t, const KeysInTurn<P::element>&, Share,
                          float, float*);
  int first;
  Share share;
  Kernel spaced, listed;
};

constexpr int most_octet_groups = 4;

/// decode_scores_of() for rows in octets, at most 64.
template <typename P>
void octet_scores_of(const typename P::Query* queries, int rows, std::int64_t pitch, std::int64_t dim, float scale,
                     const RowsOf<P::element>& keys, float* scores) {
  OctetGroup<P> group[most_octet_groups];
  int count = 0;
  RowGroups(rows / octet, groups_for(rows / quad, most_octet_quads)).for_each([&](int first, int octets, Share share) {
    const bool half = rows % octet != 0 && share.index == share.of - 1;
    group[count] = {first, share, nullptr, nullptr};
    with_fetch<P, Fetch::in_order, Fetch::in_order>(keys.fetch, [&]<typename F>() {
      group[count].spaced = octet_score_unit_of<F, true>(octets, half);
      group[count].listed = octet_score_unit_of<F, false>(octets, half);
    });
    ++count;
  });
  for_key_turns<unit_keys>(keys, [&](const KeysInTurn<P::element>& unit, std::int64_t first, std::int64_t) {
    const bool spaced = first + unit_keys <= keys.in_rounds;
    for (int i = 0; i < count; ++i) {
      const OctetGroup<P>& of = group[i];
      (spaced ? of.spaced : of.listed)(queries + of.first * octet * pitch, pitch, dim, unit, of.share, scale,
                                       scores + first * rows + of.first * octet_floats);
    }
  });
}

/// Two pairs of each of eight rows.
struct OctetScores {
  using Query = std::uint16_t;
  using Operand = Pairs;
  static constexpr Element element = Element::bf16;
  static Operand query(const Query* p) { return in_register(_mm512_load_si512(p)); }
  static Operand query_of_half(const Query* p) {
    return in_register(_mm512_broadcast_i64x4(_mm256_load_si256(reinterpret_cast<const __m256i*>(p))));
  }
  static Operand key(const std::uint16_t* p) { return spread(_mm_loadu_si64(p)); }
  static Operand key_part(const std::uint16_t* p, int count) {
    return spread(_mm_maskz_loadu_epi16(static_cast<__mmask8>((1u << count) - 1), p));
  }
  static Operand halves(Operand a, Operand b) { return _mm512_mask_blend_epi32(0xff00, a, b); }
  static Vec add(Vec sum, Operand key, Operand query) { return dot_pairs(sum, key, query); }

 private:
  static Operand spread(__m128i two) { return in_register(_mm512_broadcastq_epi64(two)); }
};

}  // namespace
