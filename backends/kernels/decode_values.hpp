// P·V of few queries: columns in lanes, weights broadcast.
#pragma once

#include "backends/kernels/decode_rows.hpp"

namespace {

/// Vectors of columns that R rows sum at once.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int columns_of_rows[] = {0, 8, 8, 6, 4};
#else
constexpr int columns_of_rows[] = {0, 8, 6, 4, 3};
#endif

struct WeightRows {
  const float* data;
  std::int64_t pitch;
};

struct SumRows {
  float* data;
  std::int64_t pitch;
};

/// sums[row][c] += Σ weights[row][key] · values[key][c] for R rows, C vectors from column `column` on and the keys used
/// as begin-th … (end − 1)-th. `part` > 0: so many columns of a single vector are left.
template <Element E, int R, int C, bool prefetch>
inline void decode_value_tile(const WeightRows& weights, const RowsOf<E>& values, std::int64_t begin, std::int64_t end,
                              std::int64_t column, int part, const SumRows& sums) {
  constexpr int line = 64 / static_cast<int>(sizeof(StoredAs<E>));  // elements in a line of cache
  Block<R, C> sum;
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = load(sums.data + r * sums.pitch + column + c * vector_lanes);
  const auto add_row = [&](std::int64_t i, const StoredAs<E>* row, const StoredAs<E>* ahead) {
    if constexpr (prefetch)
#pragma GCC unroll 8
      for (int c = 0; c < C * vector_lanes; c += line) prefetch_line(ahead + c);
    Row<C> v;
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
      v[c] = C == 1 && part > 0 ? load_row_part<E>(row, part) : load_row<E>(row + c * vector_lanes);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const Vec p(weights.data[r * weights.pitch + i]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] = multiply_add(p, v[c], sum[r][c]);
    }
  };
  // As row() has them, a step at a time.
  const int places = values.streamed(begin, end - begin) ? streams : 1;
  const StoredAs<E>* row = values.row(begin) + column;
  const StoredAs<E>* ahead = values.row_ahead(begin) + column;
  for (std::int64_t i = begin; i < end; i += places, row += values.stride, ahead += values.stride)
    for (int place = 0; place < places; ++place)
      add_row(i + place, row + place * values.apart, ahead + place * values.apart);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) store(sums.data + r * sums.pitch + column + c * vector_lanes, sum[r][c]);
}

/// Columns `column` … dim − 1, in tiles of C vectors and then of fewer. A remainder of C + 1 is halved, for a tile of
/// one vector has too few accumulators to be fast.
template <Element E, int R, int C, bool prefetch>
inline void decode_value_columns(const WeightRows& weights, const RowsOf<E>& values, std::int64_t begin,
                                 std::int64_t end, std::int64_t column, std::int64_t dim, const SumRows& sums) {
  constexpr std::int64_t width = C * vector_lanes;
  if constexpr (C > 1) {
    for (; column + width <= dim && (C == 2 || dim - column - width != vector_lanes); column += width)
      decode_value_tile<E, R, C, prefetch>(weights, values, begin, end, column, 0, sums);
    decode_value_columns<E, R, (C + 1) / 2, prefetch>(weights, values, begin, end, column, dim, sums);
  } else {
    for (; column + width <= dim; column += width)
      decode_value_tile<E, R, 1, prefetch>(weights, values, begin, end, column, 0, sums);
    if (const int part = static_cast<int>(dim - column); part > 0)
      decode_value_tile<E, R, 1, prefetch>(weights, values, begin, end, column, part, sums);
  }
}

template <Element E, int R, bool prefetch>
void decode_value_turn(const WeightRows& weights, const RowsOf<E>& values, std::int64_t begin, std::int64_t end,
                       std::int64_t dim, const SumRows& sums) {
  decode_value_columns<E, R, columns_of_rows[R], prefetch>(weights, values, begin, end, 0, dim, sums);
}

template <Element E, bool prefetch>
constexpr auto value_turn(int rows) {
  return rows == 1   ? decode_value_turn<E, 1, prefetch>
         : rows == 2 ? decode_value_turn<E, 2, prefetch>
         : rows == 3 ? decode_value_turn<E, 3, prefetch>
                     : decode_value_turn<E, 4, prefetch>;
}

/// One row's sum over the keys used as begin-th … (end − 1)-th, leaving out those whose weight is −0.
template <Element E>
void careful_value_row(const float* weights, const RowsOf<E>& values, std::int64_t begin, std::int64_t end,
                       std::int64_t dim, float* sums) {
  for (std::int64_t i = begin; i < end; ++i) {
    if (weights[i] == 0.0f && std::bit_cast<std::uint32_t>(weights[i]) != 0) continue;
    const StoredAs<E>* row = values.row(i);
    for (std::int64_t column = 0; column < dim; column += vector_lanes) {
      const std::int64_t left = dim - column;
      const Vec value =
          left < vector_lanes ? load_row_part<E>(row + column, static_cast<int>(left)) : load_row<E>(row + column);
      store(sums + column, multiply_add(Vec(weights[i]), value, load(sums + column)));
    }
  }
}

/// Calls f(begin, end) for the turns that rows and columns take on values which fit half of L1, the last of those in
/// streams ending with them.
template <Element E, typename F>
void for_value_turns(const RowsOf<E>& values, F f) {
  const std::int64_t in_turn = values.bytes > 2048 ? 8 : 16384 / values.bytes / streams * streams;
  const std::int64_t ends[] = {values.in_stream * streams, values.count};
  std::int64_t begin = 0;
  for (const std::int64_t end : ends)
    for (; begin < end; begin += in_turn < end - begin ? in_turn : end - begin)
      f(begin, in_turn < end - begin ? begin + in_turn : end);
}

template <Element E>
void decode_weighted_sum_of(const WeightRows& weights, int rows, const RowsOf<E>& values, std::int64_t dim,
                            bool careful, const SumRows& sums) {
  for_value_turns(values, [&](std::int64_t begin, std::int64_t end) {
    if (careful) {
      for (int r = 0; r < rows; ++r)
        careful_value_row<E>(weights.data + r * weights.pitch, values, begin, end, dim, sums.data + r * sums.pitch);
      return;
    }
    for_row_groups(rows, [&](int row, int size) {
      const auto turn = row == 0 ? value_turn<E, true>(size) : value_turn<E, false>(size);
      turn({weights.data + row * weights.pitch, weights.pitch}, values, begin, end, dim,
           {sums.data + row * sums.pitch, sums.pitch});
    });
  });
}

void decode_weighted_sum(const float* weights, int rows, std::int64_t weight_pitch, const StoredRows& values,
                         std::int64_t dim, bool careful, float* sums, std::int64_t pitch) {
  const WeightRows from{weights, weight_pitch};
  const SumRows to{sums, pitch};
  if (dim == 0) return;
  switch (values.element) {
    case Element::f32:
      return decode_weighted_sum_of<Element::f32>(from, rows, {values, dim}, dim, careful, to);
    case Element::f16:
      return decode_weighted_sum_of<Element::f16>(from, rows, {values, dim}, dim, careful, to);
    case Element::bf16:
      return decode_weighted_sum_of<Element::bf16>(from, rows, {values, dim}, dim, careful, to);
  }
}

}  // namespace
