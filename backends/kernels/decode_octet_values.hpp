// P·V for weights in octets (decode_octets.hpp): 8 or 12 rows against 32 columns, so that each value is interleaved for
// that many.
#pragma once

#include "backends/kernels/decode_octets.hpp"
#include "backends/kernels/decode_pair_values.hpp"

namespace {

/// What a tile of 32 columns of values asks for.
template <typename P>
class AskingForValues {
 public:
  AskingForValues(const RowsOf<Element::bf16>& values, std::int64_t begin, LinesAhead<Element::bf16>& lines)
      : lines_(lines),
        far_(values.bytes_ahead(begin, values.far)),
        near_(values.bytes_ahead(begin, values.near)),
        nearer_(values.bytes_ahead(begin, values.nearer)) {}

  using Piece = LinesAhead<Element::bf16>::Piece;  // what is left to be asked for in order
  Piece begin() const { return lines_.piece; }
  void end(const Piece& piece) { lines_.piece = piece; }

  /// For a line of each of two rows from this one on.
  [[gnu::always_inline]] void ask(Piece& piece, const std::uint16_t* row, std::int64_t apart) {
    if constexpr (in_order(P::fetch)) return ask_for_lines<2>(lines_, piece);
    each<2>([&](int key) {
      const std::uint16_t* line = row + key * apart;
      prefetch_line(line, far_);
      if constexpr (P::fetch == Fetch::far_and_near) prefetch_line(line, near_), prefetch_line(line, nearer_);
    });
  }

 private:
  LinesAhead<Element::bf16>& lines_;
  std::intptr_t far_, near_, nearer_;
};

/// The weights of a round of keys, which is half a unit: of an octet and of the half that may follow it.
struct RoundWeights {
  const std::uint32_t *of_octet, *of_half;

  /// Of the pair-th two keys. Both numbers are known when this is compiled but for the last keys.
  [[gnu::always_inline]] Pairs of(int row, int pair) const {
    const int key = 2 * pair;
    const std::uint32_t* const at = row < octet ? of_octet + pair / 2 * vector_lanes + octet_lane(row, key)
                                                : of_half + half_octet_lane(row - octet, key);
    return in_register(_mm512_set1_epi32(static_cast<int>(*at)));
  }
};

/// A turn's keys and their weights. What can be known before its tiles is: they begin while the products of others are
/// on their way.
struct OctetTurn {
  /// `weights` are the first unit's, and such units `unit_pairs` pairs apart.
  OctetTurn(const std::uint32_t* weights, std::int64_t unit_pairs, const RowsOf<Element::bf16>& values,
            std::int64_t begin, std::int64_t end)
      : row(values.row(begin)),
        apart(begin < values.in_rounds ? values.apart : values.stride),
        step(values.step),
        keys(end - begin),
        unit(weights + begin / unit_keys * unit_pairs),
        unit_step(unit_pairs),
        second(begin / streams % 2) {}
  static_assert(unit_keys == 2 * streams);

  RoundWeights round(const std::uint32_t* of_unit, std::int64_t half) const {
    return {of_unit + half * (octet_floats / 4), of_unit + octet_floats + half * (octet_floats / 8)};
  }

  const std::uint16_t* row;
  std::int64_t apart, step, keys;  // from row to row, from round to round
  const std::uint32_t* unit;       // of the first key
  std::int64_t unit_step, second;  // does the turn begin with the second half of it?
};

/// Sums of an octet of rows, and half of one more, over values of 32 columns in the order of interleave_in_quarters().
template <bool half>
class OctetValueSums {
 public:
  OctetValueSums() {
    each<rows>([&](int r) { sum_[r][0] = sum_[r][1] = Vec(0.0f); });
  }

  [[gnu::always_inline]] void add(const RoundWeights& weights, int pair, Pairs first, Pairs last) {
    const PairsOfRows both = interleave_in_quarters(first, last);
    each<rows>([&](int r) __attribute__((always_inline)) {
      const Pairs weight = weights.of(r, pair);
      sum_[r][0] = dot_pairs(sum_[r][0], both.first, weight);
      sum_[r][1] = dot_pairs(sum_[r][1], both.last, weight);
    });
  }

  [[gnu::always_inline]] void add_to(float* sums, std::int64_t pitch) const {
    each<rows>([&](int r) __attribute__((always_inline)) {
      each<2>([&](int c) { store(sums + c * vector_lanes, load(sums + c * vector_lanes) + sum_[r][c]); });
      sums += pitch;
    });
  }

 private:
  static constexpr int rows = half ? octet + quad : octet;
  Block<rows, 2> sum_;
};

/// sums[row][c] += Σ weights[row][key] · values[key][c] for the columns from `column` on, 32 or the first `part` of
/// them.
template <typename P, bool half, bool partial>
inline void octet_value_tile(const OctetTurn& turn, std::int64_t column, int part, Share share,
                             AskingForValues<P>& asking, float* sums, std::int64_t pitch) {
  const auto load = [=](const std::uint16_t* p) __attribute__((always_inline)) {
    return in_register(partial ? load_some_pairs(p, part) : Pairs(_mm512_loadu_si512(p)));
  };
  OctetValueSums<half> sum;
  const std::uint16_t* row = turn.row + column;
  const std::uint32_t* unit = turn.unit;
  const std::int64_t apart = turn.apart;
  std::int64_t second = turn.second, left = turn.keys;
  auto ahead = asking.begin();
  int until_asking = share.index;
  for (; left >= streams; left -= streams, row += turn.step) {
    const RoundWeights weights = turn.round(unit, second);
    const bool asks = until_asking-- == 0;
    if (asks) until_asking = share.of - 1;
    const std::uint16_t* at = row;
    each<streams / 2>([&](int pair) __attribute__((always_inline)) {
      if (asks) asking.ask(ahead, at, apart);
      sum.add(weights, pair, load(at), load(at + apart));
      at += 2 * apart;
    });
    unit += second * turn.unit_step;
    second ^= 1;
  }
  for (int pair = 0; left > 0; left -= 2, row += 2 * apart, ++pair)
    sum.add(turn.round(unit, second), pair, load(row), left > 1 ? load(row + apart) : _mm512_setzero_si512());
  asking.end(ahead);
  sum.add_to(sums + column, pitch);
}

template <typename P, bool half>
void octet_value_turn(const OctetTurn& turn, std::int64_t dim, Share share, const RowsOf<Element::bf16>& values,
                      std::int64_t begin, LinesAhead<Element::bf16>& lines, const SumRows& sums) {
  AskingForValues<P> asking(values, begin, lines);
  std::int64_t column = 0;
  for (; column + row_elements <= dim; column += row_elements)
    octet_value_tile<P, half, false>(turn, column, 0, share, asking, sums.data, sums.pitch);
  if (const int part = static_cast<int>(dim - column); part > 0)
    octet_value_tile<P, half, true>(turn, column, part, share, asking, sums.data, sums.pitch);
}

/// A turn by itself.
inline RowsOf<Element::bf16> rows_of_turn(const RowsOf<Element::bf16>& values, std::int64_t begin, std::int64_t end) {
  RowsOf<Element::bf16> turn = values;
  turn.data = values.row(begin);
  turn.in_rounds = begin < values.in_rounds ? end - begin : 0;
  return turn;
}

/// A turn in careful mode: row by row, which takes weights that follow each other.
inline void careful_octet_turn(const std::uint16_t* weights, int rows, const RowsOf<Element::bf16>& values,
                               std::int64_t begin, std::int64_t end, std::int64_t dim, LinesAhead<Element::bf16>& lines,
                               const SumRows& sums) {
  using Careful = Fetching<PairValues, Fetch::far>;
  const RowsOf<Element::bf16> turn = rows_of_turn(values, begin, end);
  for (int r = 0; r < rows; ++r) {
    std::uint16_t of_row[attune::kernels::most_values_in_turn] = {};  // a last key has a neighbour of weight 0
    for (std::int64_t i = begin; i < end; ++i) of_row[i - begin] = weights[weight_place(r, rows, i)];
    decode_value_turn<Careful, 1, true>({of_row, 0}, turn, 0, end - begin, dim, {}, lines,
                                        {sums.data + r * sums.pitch, sums.pitch});
  }
}

void octets_weighted_sum(const std::uint16_t* weights, int rows, const RowsOf<Element::bf16>& values, std::int64_t dim,
                         bool careful, const SumRows& sums) {
  if (dim == 0) return;
  const RowGroups groups(rows / octet, rows / octet);
  const auto* pairs = reinterpret_cast<const std::uint32_t*>(weights);
  for_value_turns(values, [&](std::int64_t begin, std::int64_t end) {
    LinesAhead<Element::bf16> lines(values, begin);
    if (careful) return careful_octet_turn(weights, rows, values, begin, end, dim, lines, sums);
    groups.for_each([&](int of, int, Share share) {
      const bool half = rows % octet != 0 && share.index == share.of - 1;
      const OctetTurn turn(pairs + of * octet_floats, unit_floats(rows), values, begin, end);
      const SumRows to{sums.data + of * octet * sums.pitch, sums.pitch};
      with_fetch<PairValues, Fetch::in_order, Fetch::in_order>(values.fetch, [&]<typename F>() {
        const auto add = half ? octet_value_turn<F, true> : octet_value_turn<F, false>;
        add(turn, dim, share, values, begin, lines, to);
      });
    });
  });
}

}  // namespace
