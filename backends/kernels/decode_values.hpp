// P·V of few queries: columns in lanes, weights broadcast.
#pragma once

#include <type_traits>

#include "backends/kernels/decode_rows.hpp"

namespace {

template <typename T>
struct WeightRows {
  const T* data;
  std::int64_t pitch;
};

struct SumRows {
  float* data;
  std::int64_t pitch;
};

/// The mark of a key that its row does not attend: −0.
inline bool marked(float weight) { return std::bit_cast<std::uint32_t>(weight) == 0x80000000u; }

/// sums[row][c] += Σ weights[row][key] · values[key][c] for R rows, C vectors from column `column` on and the keys used
/// as begin-th … (end − 1)-th. `part` > 0: so many columns of the last vectors are left. In careful mode, which takes
/// rows one by one, what marked keys hold is taken for 0.
template <typename P, int R, int C, bool careful>
inline void decode_value_tile(const WeightRows<typename P::Weight>& weights, const RowsOf<P::element>& values,
                              std::int64_t begin, std::int64_t end, std::int64_t column, int part, Share share,
                              LinesAhead<P::element>& lines, const SumRows& sums) {
  static_assert(R == 1 || !careful);
  using Type = StoredAs<P::element>;
  Block<R, C> sum;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = Vec(0.0f);
  const bool rounds = begin < values.in_rounds;
  const int places = rounds ? streams : P::keys;
  const std::int64_t apart = rounds ? values.apart : values.stride;
  const std::int64_t step = rounds ? values.step : P::keys * values.stride;
  int until_asking = share.index;
  const std::intptr_t far = values.bytes_ahead(begin, values.far);
  const std::intptr_t near = values.bytes_ahead(begin, values.near);
  const std::intptr_t nearer = values.bytes_ahead(begin, values.nearer);
  auto piece = lines.piece;
  const auto ask = [&](const Type* row) __attribute__((always_inline)) {
    if constexpr (P::fetch == Fetch::in_order) {
      constexpr int line = static_cast<int>(line_elements<Type>);
      return ask_for_lines<P::keys*((C * vector_lanes + line - 1) / line)>(lines, piece);
    }
#pragma GCC unroll 2
    for (int key = 0; key < P::keys; ++key)
#pragma GCC unroll 8
      for (int c = 0; c < C * vector_lanes; c += static_cast<int>(line_elements<Type>)) {
        const Type* line = row + key * apart + c;
        prefetch_line(line, far);
        if constexpr (P::fetch == Fetch::far_and_near) prefetch_line(line, near), prefetch_line(line, nearer);
      }
  };
  const auto add_keys = [&](std::int64_t i, const Type* row) {
    if (!careful && until_asking-- == 0) {
      until_asking = share.of - 1;
      ask(row);
    }
    Row<C> v;
    P::template load<C, careful>({row, apart, end - i, part}, weights.data + i, v);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto p = P::weight(weights.data + r * weights.pitch + i);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] = P::add(sum[r][c], p, v[c]);
    }
  };
  const Type* row = values.row(begin) + column;
  for (std::int64_t i = begin; i < end; i += places, row += step)
    for (int place = 0; place < places; place += P::keys) add_keys(i + place, row + place * apart);
  lines.piece = piece;
  float* to = sums.data + column;
  const std::int64_t pitch = sums.pitch;  // g++ would read it again after every store
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r, to += pitch)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) store(to + c * vector_lanes, load(to + c * vector_lanes) + sum[r][c]);
}

/// Columns `column` … dim − 1, in tiles of C vectors and then of fewer. A remainder that would be a tile of the fewest
/// vectors is shared with the tile before it: that one has too few accumulators to be fast.
template <typename P, int R, int C, bool careful>
inline void decode_value_columns(const WeightRows<typename P::Weight>& weights, const RowsOf<P::element>& values,
                                 std::int64_t begin, std::int64_t end, std::int64_t column, std::int64_t dim,
                                 Share share, LinesAhead<P::element>& lines, const SumRows& sums) {
  constexpr int fewest = P::vectors;
  constexpr std::int64_t width = C * vector_lanes;
  // Narrow tiles, for small head dims and what is left of odd ones, are not worth a kernel for each way to fetch.
  constexpr bool narrow = C <= 2 && C < P::columns(R) / 2;
  using Policy = std::conditional_t<narrow, Fetching<typename P::Policy, Fetch::far>, P>;
  const auto tile = [&]<int N>(int part) {
    decode_value_tile<Policy, R, N, careful>(weights, values, begin, end, column, part, share, lines, sums);
  };
  if constexpr (C > fewest) {
    for (; column + width <= dim && (C == 2 * fewest || dim - column - width != fewest * vector_lanes); column += width)
      tile.template operator()<C>(0);
    constexpr int half = (C / fewest + 1) / 2 * fewest;
    decode_value_columns<P, R, half, careful>(weights, values, begin, end, column, dim, share, lines, sums);
  } else {
    for (; column + width <= dim; column += width) tile.template operator()<C>(0);
    if (const int part = static_cast<int>(dim - column); part > 0) tile.template operator()<C>(part);
  }
}

template <typename P, int R, bool careful = false>
void decode_value_turn(const WeightRows<typename P::Weight>& weights, const RowsOf<P::element>& values,
                       std::int64_t begin, std::int64_t end, std::int64_t dim, Share share,
                       LinesAhead<P::element>& lines, const SumRows& sums) {
  decode_value_columns<P, R, P::columns(R), careful>(weights, values, begin, end, 0, dim, share, lines, sums);
}

template <typename P, int R = 1>
constexpr auto value_turn(int rows) {
  if constexpr (R == P::most_rows)
    return decode_value_turn<P, R>;
  else
    return rows == R ? decode_value_turn<P, R> : value_turn<P, R + 1>(rows);
}

/// Calls f(begin, end) for the turns that rows and columns take on values which fit half of L1, the last of those in
/// rounds ending with them. A turn's sums begin with 0, so that none is a long chain of roundings.
template <Element E, typename F>
void for_value_turns(const RowsOf<E>& values, F f) {
  std::int64_t in_turn = attune::kernels::most_values_in_turn;
  while (in_turn > streams && in_turn * values.bytes > 16384) in_turn /= 2;
  const std::int64_t ends[] = {values.in_rounds, values.count};
  std::int64_t begin = 0;
  for (const std::int64_t end : ends)
    for (; begin < end; begin += in_turn < end - begin ? in_turn : end - begin)
      f(begin, in_turn < end - begin ? begin + in_turn : end);
}

template <typename P>
void decode_weighted_sum_of(const WeightRows<typename P::Weight>& weights, int rows, const RowsOf<P::element>& values,
                            std::int64_t dim, bool careful, const SumRows& sums) {
  if (dim == 0) return;
  const RowGroups groups(rows, groups_for(rows, P::most_rows));
  for_value_turns(values, [&](std::int64_t begin, std::int64_t end) {
    LinesAhead<P::element> lines(values, begin);
    const auto of = [&](int row) {
      return WeightRows<typename P::Weight>{weights.data + row * weights.pitch, weights.pitch};
    };
    const auto to = [&](int row) { return SumRows{sums.data + row * sums.pitch, sums.pitch}; };
    if (careful) {
      using Careful = Fetching<P, Fetch::far>;
      for (int r = 0; r < rows; ++r)
        decode_value_turn<Careful, 1, true>(of(r), values, begin, end, dim, {}, lines, to(r));
      return;
    }
    groups.for_each([&](int row, int size, Share share) {
      const auto turn = with_fetch<P, Fetch::in_order, Fetch::in_order>(
          values.fetch, [&]<typename F>() { return value_turn<F>(size); });
      turn(of(row), values, begin, end, dim, share, lines, to(row));
    });
  });
}

/// Where a tile's values are: those of the key at `row` and of the `left` − 1 that are used after it; and how many
/// columns of them, if not all.
template <typename T>
struct ValuesAt {
  const T* row;
  std::int64_t apart, left;
  int part;
};

/// One key at a time, its values widened on their way from memory.
template <Element E>
struct WideValues {
  using Weight = float;
  static constexpr Element element = E;
  static constexpr int keys = 1;     // that are taken together
  static constexpr int vectors = 1;  // of columns in the narrowest tile

  static constexpr int most_rows = tile_rows == 8 ? 6 : 4;  // that take a value together

  /// Vectors of columns that so many rows sum at once.
  static constexpr int columns(int rows) {
    constexpr int of_32_registers[] = {0, 8, 8, 6, 4, 4, 4}, of_16_registers[] = {0, 8, 6, 4, 3};
    return tile_rows == 8 ? of_32_registers[rows] : of_16_registers[rows];
  }

  static Vec weight(const Weight* p) { return Vec(*p); }

  template <int C, bool careful>
  static void load(const ValuesAt<StoredAs<E>>& at, const Weight* weight, Row<C>& v) {
    const bool none = careful && marked(*weight);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      v[c] = C == 1 && at.part > 0 ? load_row_part<E>(at.row, at.part) : load_row<E>(at.row + c * vector_lanes);
      if (none) v[c] = Vec(0.0f);
    }
  }

  static Vec add(Vec sum, Vec weight, Vec value) { return multiply_add(weight, value, sum); }
};

void decode_weighted_sum(const float* weights, int rows, std::int64_t weight_pitch, const StoredRows& values,
                         std::int64_t dim, bool careful, float* sums, std::int64_t pitch) {
  with_element(values.element, [&]<Element E>() {
    decode_weighted_sum_of<WideValues<E>>({weights, weight_pitch}, rows, {values, dim}, dim, careful, {sums, pitch});
  });
}

}  // namespace
