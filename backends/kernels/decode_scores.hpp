// Scores of few queries: K·Qᵀ with head dims in lanes.
#pragma once

#include <iterator>

#include "backends/kernels/decode_rows.hpp"

namespace {

/// Keys that R rows meet at once: rows · keys accumulators and room for their operands, enough of them to hide the
/// latency of the multiply-adds.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int keys_of_rows[] = {0, 8, 8, 4, 4, 4, 4};
#else
constexpr int keys_of_rows[] = {0, 8, 4, 3, 3};
#endif

constexpr int max_score_rows = static_cast<int>(std::size(keys_of_rows)) - 1;  // that take a key together

template <int R>
constexpr int decode_keys = keys_of_rows[R];

/// Keys of which all rows take their turn while they are in L1: a multiple of every decode_keys, and of 4.
constexpr std::int64_t keys_in_turn = 24;

template <int R>
using ScoreSums = Block<R, decode_keys<R>>;

/// sum[row][key] += the products of one vector of dims.
template <typename P, int R, typename LoadKey>
inline void multiply_dims(const typename P::Query* queries, std::int64_t pitch, LoadKey load_key, ScoreSums<R>& sum) {
  typename P::Operand k[static_cast<std::size_t>(decode_keys<R>)];
#pragma GCC unroll 8
  for (int key = 0; key < decode_keys<R>; ++key) k[key] = load_key(key);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const typename P::Operand q = P::query(queries + r * pitch);
#pragma GCC unroll 8
    for (int key = 0; key < decode_keys<R>; ++key) sum[r][key] = P::add(sum[r][key], k[key], q);
  }
}

/// Where the scores of a tile go. Four sums are added up at a time: of keys of a row, or of the rows of a key. The
/// latter wait in `columns`, [key of the turn][4], until the turn is over.
struct ScoreTarget {
  float* scores;
  std::int64_t pitch;
  float scale;
  float* columns;
};

template <int R>
constexpr bool by_columns = decode_keys<R> % 4 != 0;

template <int R>
inline void store_scores(const ScoreSums<R>& sum, std::int64_t key, const ScoreTarget& to) {
  if constexpr (by_columns<R>) {
    static_assert(R == 3 || R == 4);
#pragma GCC unroll 8
    for (int k = 0; k < decode_keys<R>; ++k)
      store_quad(to.columns + (key + k) * 4, sums_of_lanes(sum[0][k], sum[1][k], sum[2][k], sum[R - 1][k]));
  } else {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int k = 0; k < decode_keys<R>; k += 4) {
        const Quad sums = sums_of_lanes(sum[r][k], sum[r][k + 1], sum[r][k + 2], sum[r][k + 3]);
        store_quad(to.scores + r * to.pitch + key + k, scaled_quad(sums, to.scale));
      }
  }
}

/// The scores of the turn's first `count` keys, rounded up to 4, from their columns.
template <int R>
inline void store_columns(std::int64_t count, const ScoreTarget& to) {
  for (std::int64_t key = 0; key < count; key += 4) {
    Quad quads[4];
    each<4>([&](int k) { quads[k] = load_quad(to.columns + (key + k) * 4); });
    transpose_quads(quads);
    each<R>([&](int r) { store_quad(to.scores + r * to.pitch + key, scaled_quad(quads[r], to.scale)); });
  }
}

/// The keys of a turn, and what is to be asked for while they are used.
template <Element E>
struct KeysInTurn {
  const StoredAs<E>* key[keys_in_turn];
  const StoredAs<E>* ahead[keys_in_turn];
};

/// Sums of the keys key … key + decode_keys<R> − 1 of the turn for R rows.
template <typename P, int R, bool prefetch>
[[gnu::always_inline]] inline void decode_score_tile(const typename P::Query* queries, std::int64_t pitch,
                                                     std::int64_t dim, const KeysInTurn<P::element>& keys,
                                                     std::int64_t key, const ScoreTarget& to) {
  using Type = StoredAs<P::element>;
  constexpr int at_once = decode_keys<R>;
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(Type));  // elements in a line of cache
  const Type* row[static_cast<std::size_t>(at_once)];
  const Type* ahead[static_cast<std::size_t>(at_once)];
  ScoreSums<R> sum;
  each<at_once>([&](int k) {
    row[k] = keys.key[key + k];
    ahead[k] = keys.ahead[key + k];
  });
#pragma GCC unroll 8
  for (int k = 0; k < at_once; ++k)
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum[r][k] = Vec(0.0f);
  std::int64_t d = 0;
  for (; d + line <= dim; d += line) {
    if constexpr (prefetch)
#pragma GCC unroll 8
      for (int k = 0; k < at_once; ++k) prefetch_line(ahead[k] + d);
    each<static_cast<int>(line / P::width)>([&](int i) __attribute__((always_inline)) {
      const std::int64_t at = d + i * P::width;
      multiply_dims<P, R>(queries + at, pitch, [&](int k) { return P::load(row[k] + at); }, sum);
    });
  }
  for (; d + P::width <= dim; d += P::width)
    multiply_dims<P, R>(queries + d, pitch, [&](int k) { return P::load(row[k] + d); }, sum);
  if (const int left = static_cast<int>(dim - d); left > 0)
    multiply_dims<P, R>(queries + d, pitch, [&](int k) { return P::load_part(row[k] + d, left); }, sum);
  store_scores<R>(sum, key, to);
}

template <typename P, int R, bool prefetch>
void decode_score_turn(const typename P::Query* queries, std::int64_t pitch, std::int64_t dim, float scale,
                       const KeysInTurn<P::element>& keys, std::int64_t count, float* scores,
                       std::int64_t score_pitch) {
  alignas(64) float columns[by_columns<R> ? keys_in_turn * 4 : 1];
  const ScoreTarget to{scores, score_pitch, scale, columns};
  for (std::int64_t key = 0; key < count; key += decode_keys<R>)
    decode_score_tile<P, R, prefetch>(queries, pitch, dim, keys, key, to);
  if constexpr (by_columns<R>) store_columns<R>(count, to);
}

template <typename P, bool prefetch, int R = 1>
constexpr auto score_turn(int rows) {
  if constexpr (R == max_score_rows)
    return decode_score_turn<P, R, prefetch>;
  else
    return rows == R ? decode_score_turn<P, R, prefetch> : score_turn<P, prefetch, R + 1>(rows);
}

template <typename P>
void decode_scores_of(const typename P::Query* queries, int rows, std::int64_t pitch, std::int64_t dim, float scale,
                      const RowsOf<P::element>& keys, float* scores, std::int64_t score_pitch) {
  KeysInTurn<P::element> in_turn;
  for (std::int64_t first = 0; first < keys.count; first += keys_in_turn) {
    keys.template next_rows<keys_in_turn>(first, in_turn.key);
    keys.template rows_ahead<keys_in_turn>(first, in_turn.ahead);
    const std::int64_t count = keys.count - first < keys_in_turn ? keys.count - first : keys_in_turn;
    for_row_groups(rows, max_score_rows, [&](int row, int size) {
      const auto turn = row == 0 ? score_turn<P, true>(size) : score_turn<P, false>(size);
      turn(queries + row * pitch, pitch, dim, scale, in_turn, count, scores + first + row * score_pitch, score_pitch);
    });
  }
}

/// Rows of elements are widened on their way from memory.
template <Element E>
struct WideScores {
  using Query = float;
  using Operand = Vec;
  static constexpr Element element = E;
  static constexpr int width = vector_lanes;  // elements in a vector
  static Operand query(const Query* p) { return ::load(p); }
  static Operand load(const StoredAs<E>* p) { return in_register(load_row<E>(p)); }
  static Operand load_part(const StoredAs<E>* p, int count) { return load_row_part<E>(p, count); }
  static Vec add(Vec sum, Operand key, Operand query) { return multiply_add(key, query, sum); }
};

void decode_scores(const float* queries, int rows, std::int64_t pitch, std::int64_t dim, const StoredRows& keys,
                   float* scores, std::int64_t score_pitch) {
  const auto of = [&]<Element E>() {
    decode_scores_of<WideScores<E>>(queries, rows, pitch, dim, 1.0f, {keys, dim}, scores, score_pitch);
  };
  switch (keys.element) {
    case Element::f32:
      return of.template operator()<Element::f32>();
    case Element::f16:
      return of.template operator()<Element::f16>();
    case Element::bf16:
      return of.template operator()<Element::bf16>();
  }
}

}  // namespace
