// Scores of few queries: K·Qᵀ with head dims in lanes.
#pragma once

#include "backends/kernels/decode_rows.hpp"

namespace {

/// Keys that R rows meet at once: rows · keys accumulators and room for their operands, enough of them to hide the
/// latency of the multiply-adds.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int keys_of_rows[] = {0, 8, 8, 4, 4};
#else
constexpr int keys_of_rows[] = {0, 8, 4, 4, 3};
#endif

template <int R>
constexpr int decode_keys = keys_of_rows[R];

/// Keys of which all rows take their turn while they are in L1: a multiple of every decode_keys, and of 4.
constexpr std::int64_t keys_in_turn = 24;

template <int R>
using ScoreSums = Block<R, decode_keys<R>>;

/// sum[row][key] += the products of one vector of dims.
template <int R, typename LoadKey>
inline void multiply_dims(const float* queries, std::int64_t pitch, LoadKey load_key, ScoreSums<R>& sum) {
  Row<decode_keys<R>> k;
#pragma GCC unroll 8
  for (int key = 0; key < decode_keys<R>; ++key) k[key] = load_key(key);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    const Vec q = load(queries + r * pitch);
#pragma GCC unroll 8
    for (int key = 0; key < decode_keys<R>; ++key) sum[r][key] = multiply_add(k[key], q, sum[r][key]);
  }
}

/// Where the scores of a tile go. Four sums are added up at a time: of keys of a row, or of four rows of a key. The
/// latter wait in `columns`, [key of the turn][4], until the turn is over.
struct ScoreTarget {
  float* scores;
  std::int64_t pitch;
  float* columns;
};

template <int R>
constexpr bool by_columns = decode_keys<R> % 4 != 0;

template <int R>
inline void store_scores(const ScoreSums<R>& sum, std::int64_t key, const ScoreTarget& to) {
  if constexpr (by_columns<R>) {
    static_assert(R == 4);
#pragma GCC unroll 8
    for (int k = 0; k < decode_keys<R>; ++k)
      store_sums(sum[0][k], sum[1][k], sum[2][k], sum[3][k], to.columns + (key + k) * 4);
  } else {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int k = 0; k < decode_keys<R>; k += 4)
        store_sums(sum[r][k], sum[r][k + 1], sum[r][k + 2], sum[r][k + 3], to.scores + r * to.pitch + key + k);
  }
}

/// Sums of the keys first + key … first + key + decode_keys<R> − 1 in their order of use, for R rows, unscaled; where
/// keys end early, the last one's again.
template <Element E, int R, bool prefetch>
inline void decode_score_tile(const float* queries, std::int64_t pitch, std::int64_t dim, const RowsOf<E>& keys,
                              std::int64_t first, std::int64_t key, const ScoreTarget& to) {
  constexpr int at_once = decode_keys<R>;
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(StoredAs<E>));  // elements in a line of cache
  const StoredAs<E>* row[static_cast<std::size_t>(at_once)];
  const StoredAs<E>* ahead[static_cast<std::size_t>(at_once)];
  ScoreSums<R> sum;
  keys.template next_rows<at_once>(first + key, row);
  if constexpr (prefetch) keys.template rows_ahead<at_once>(first + key, ahead);
#pragma GCC unroll 8
  for (int k = 0; k < at_once; ++k)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sum[r][k] = Vec(0.0f);
  std::int64_t d = 0;
  for (; d + line <= dim; d += line) {
    if constexpr (prefetch)
#pragma GCC unroll 8
      for (int k = 0; k < at_once; ++k) prefetch_line(ahead[k] + d);
#pragma GCC unroll 8
    for (std::int64_t i = d; i < d + line; i += vector_lanes)
      multiply_dims<R>(queries + i, pitch, [&](int k) { return load_row<E>(row[k] + i); }, sum);
  }
  for (; d + vector_lanes <= dim; d += vector_lanes)
    multiply_dims<R>(queries + d, pitch, [&](int k) { return load_row<E>(row[k] + d); }, sum);
  if (const int left = static_cast<int>(dim - d); left > 0)
    multiply_dims<R>(queries + d, pitch, [&](int k) { return load_row_part<E>(row[k] + d, left); }, sum);
  store_scores<R>(sum, key, to);
}

/// Scales what tiles have left, up to the turn's last key rounded up to 4.
template <int R>
inline void finish_scores(std::int64_t count, float scale, const ScoreTarget& to) {
  const std::int64_t end = (count + 3) / 4 * 4;
  for (int r = 0; r < R; ++r)
    for (std::int64_t key = 0; key < end; ++key) {
      const float sum = by_columns<R> ? to.columns[key * 4 + r] : to.scores[r * to.pitch + key];
      to.scores[r * to.pitch + key] = sum * scale;
    }
}

template <Element E, int R, bool prefetch>
void decode_score_turn(const float* queries, std::int64_t pitch, std::int64_t dim, float scale, const RowsOf<E>& keys,
                       std::int64_t first, std::int64_t count, float* scores, std::int64_t score_pitch) {
  float columns[by_columns<R> ? keys_in_turn * 4 : 1];
  const ScoreTarget to{scores + first, score_pitch, columns};
  for (std::int64_t key = 0; key < count; key += decode_keys<R>)
    decode_score_tile<E, R, prefetch>(queries, pitch, dim, keys, first, key, to);
  finish_scores<R>(count, scale, to);
}

template <Element E, bool prefetch>
constexpr auto score_turn(int rows) {
  return rows == 1   ? decode_score_turn<E, 1, prefetch>
         : rows == 2 ? decode_score_turn<E, 2, prefetch>
         : rows == 3 ? decode_score_turn<E, 3, prefetch>
                     : decode_score_turn<E, 4, prefetch>;
}

template <Element E>
void decode_scores_of(const float* queries, int rows, std::int64_t pitch, std::int64_t dim, float scale,
                      const RowsOf<E>& keys, float* scores, std::int64_t score_pitch) {
  for (std::int64_t first = 0; first < keys.count; first += keys_in_turn) {
    const std::int64_t count = keys.count - first < keys_in_turn ? keys.count - first : keys_in_turn;
    for_row_groups(rows, [&](int row, int size) {
      const auto turn = row == 0 ? score_turn<E, true>(size) : score_turn<E, false>(size);
      turn(queries + row * pitch, pitch, dim, scale, keys, first, count, scores + row * score_pitch, score_pitch);
    });
  }
}

void decode_scores(const float* queries, int rows, std::int64_t pitch, std::int64_t dim, float scale,
                   const StoredRows& keys, float* scores, std::int64_t score_pitch) {
  switch (keys.element) {
    case Element::f32:
      return decode_scores_of<Element::f32>(queries, rows, pitch, dim, scale, {keys, dim}, scores, score_pitch);
    case Element::f16:
      return decode_scores_of<Element::f16>(queries, rows, pitch, dim, scale, {keys, dim}, scores, score_pitch);
    case Element::bf16:
      return decode_scores_of<Element::bf16>(queries, rows, pitch, dim, scale, {keys, dim}, scores, score_pitch);
  }
}

}  // namespace
