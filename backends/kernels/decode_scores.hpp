// Scores of few queries: K·Qᵀ with head dims in lanes.
#pragma once

#include <iterator>
#include <type_traits>

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

/// What is fetched in order is better read from four rows than from eight.
template <typename P, int R>
constexpr int decode_keys = in_order(P::fetch) && keys_of_rows[R] > 4 ? 4 : keys_of_rows[R];

/// Of them so many are read side by side, and then the others: a core that fetches ahead by itself is better at fewer
/// places. For f32 from memory that is worth 2 to 15 % on one Zen 5 core; it costs that much for pairs of bf16, which
/// have less to wait for, and a tenth to a third where keys come from a cache.
template <typename P, int R>
constexpr int keys_side_by_side =
    P::fetch == Fetch::in_order_from_memory && decode_keys<P, R> == 4 ? 2 : decode_keys<P, R>;

/// The way to fetch keys from memory in order.
template <typename P>
constexpr Fetch from_memory_in_order = P::element == Element::f32 ? Fetch::in_order_from_memory : Fetch::in_order;

/// Keys of which all rows take their turn while they are in L1: a multiple of every decode_keys, and of 4.
constexpr int keys_in_turn = 24;

template <typename P, int R>
using ScoreSums = Block<R, decode_keys<P, R>>;

/// sum[row][key] += the products of one vector of dims, for keys side by side from the first one on.
template <typename P, int R, typename LoadKey>
[[gnu::always_inline]] inline void multiply_dims(const typename P::Query* queries, std::int64_t pitch, int first,
                                                 LoadKey load_key, ScoreSums<P, R>& sum) {
  constexpr int count = keys_side_by_side<P, R>;
  typename P::Operand k[static_cast<std::size_t>(count)];
#pragma GCC unroll 8
  for (int key = 0; key < count; ++key) k[key] = load_key(first + key);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const typename P::Operand q = P::query(queries + r * pitch);
#pragma GCC unroll 8
    for (int key = 0; key < count; ++key) sum[r][first + key] = P::add(sum[r][first + key], k[key], q);
  }
}

/// Where the scores of a turn go.
struct ScoreTarget {
  float* scores;
  std::int64_t pitch;
  float scale;
};

/// Four sums are added up at a time: of keys of a row, or of the rows of a key. The latter wait in `columns`,
/// [key of the turn][4], until the turn is over.
template <typename P, int R>
constexpr bool by_columns = decode_keys<P, R> % 4 != 0;

template <typename P, int R>
inline void store_scores(const ScoreSums<P, R>& sum, std::int64_t key, const ScoreTarget& to, float* columns) {
  if constexpr (by_columns<P, R>) {
    static_assert(R == 3 || R == 4);
#pragma GCC unroll 8
    for (int k = 0; k < decode_keys<P, R>; ++k)
      store_quad(columns + (key + k) * 4, sums_of_lanes(sum[0][k], sum[1][k], sum[2][k], sum[R - 1][k]));
  } else {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int k = 0; k < decode_keys<P, R>; k += 4) {
        const Quad sums = sums_of_lanes(sum[r][k], sum[r][k + 1], sum[r][k + 2], sum[r][k + 3]);
        store_quad(to.scores + r * to.pitch + key + k, scaled_quad(sums, to.scale));
      }
  }
}

/// The scores of the turn's first `count` keys, rounded up to 4, from their columns.
template <int R>
inline void store_columns(const float* columns, std::int64_t count, const ScoreTarget& to) {
  for (std::int64_t key = 0; key < count; key += 4) {
    Quad quads[4];
    each<4>([&](int k) { quads[k] = load_quad(columns + (key + k) * 4); });
    transpose_quads(quads);
    each<R>([&](int r) { store_quad(to.scores + r * to.pitch + key, scaled_quad(quads[r], to.scale)); });
  }
}

/// The keys of a turn, and what is to be asked for while they are used.
template <Element E>
struct KeysInTurn {
  const StoredAs<E>* key[keys_in_turn];
  const StoredAs<E>* ahead[keys_in_turn];
  std::intptr_t near, nearer;  // from a key to what is to be asked for again, in bytes
  LinesAhead<E>* lines;
};

/// What a tile of scores asks for while it uses `count` keys of a turn, those of memory `thrice` or twice.
template <typename P, int count, bool thrice>
class AskingForKeys {
 public:
  AskingForKeys(const KeysInTurn<P::element>& keys, std::int64_t key)
      : keys_(keys), row_(keys.key + key), ahead_(keys.ahead + key), piece_(keys.lines->piece) {}
  AskingForKeys(const AskingForKeys&) = delete;
  AskingForKeys& operator=(const AskingForKeys&) = delete;
  ~AskingForKeys() { keys_.lines->piece = piece_; }

  /// Asks for line `d` of one of `parts` parts of the keys, since more is forgotten of what is asked for all at once;
  /// or for as many lines in order.
  template <int parts>
  [[gnu::always_inline]] void ask(std::int64_t d, int part) {
    constexpr int keys_of_part = (count + parts - 1) / parts;
    each<keys_of_part>([&](int i) __attribute__((always_inline)) {
      const int k = part * keys_of_part + i;
      if (k < count) ask_for(k, d);
    });
  }

 private:
  [[gnu::always_inline]] void ask_for(int k, std::int64_t d) {
    if constexpr (P::fetch == Fetch::in_order_from_cache) return;
    if constexpr (in_order(P::fetch)) {
      ask_for_lines<1>(*keys_.lines, piece_);
    } else {
      prefetch_line(ahead_[k] + d);
      if constexpr (P::fetch == Fetch::far_and_near) {
        prefetch_line(row_[k] + d, keys_.nearer);
        if constexpr (thrice) prefetch_line(row_[k] + d, keys_.near);
      }
    }
  }

  const KeysInTurn<P::element>& keys_;
  const StoredAs<P::element>* const* row_;
  const StoredAs<P::element>* const* ahead_;
  typename LinesAhead<P::element>::Piece piece_;
};

/// Calls step(d) for every `width` dims and part(d, how many) for what is left; and ask(d, i) before the i-th step of
/// those lines of keys of which the group of rows is to ask for the same line of what is ahead, a line in part
/// included.
template <std::int64_t line, std::int64_t width, typename Ask, typename Step, typename Part>
[[gnu::always_inline]] inline void over_dims(std::int64_t dim, Share share, Ask ask, Step step, Part part) {
  std::int64_t d = 0, asked = share.index * line;
  for (; d + line <= dim; d += line) {
    const bool asks = d == asked;
    if (asks) asked += share.of * line;
    each<static_cast<int>(line / width)>([&](int i) __attribute__((always_inline)) {
      if (asks) ask(d, i);
      step(d + i * width);
    });
  }
  if (d < dim && d == asked)
    each<static_cast<int>(line / width)>([&](int i) __attribute__((always_inline)) { ask(d, i); });
  for (; d + width <= dim; d += width) step(d);
  if (const int left = static_cast<int>(dim - d); left > 0) part(d, left);
}

/// Sums of the keys key … key + decode_keys<P, R> − 1 of the turn for R rows.
template <typename P, int R>
[[gnu::always_inline]] inline void decode_score_tile(const typename P::Query* queries, std::int64_t pitch,
                                                     std::int64_t dim, const KeysInTurn<P::element>& keys,
                                                     std::int64_t key, Share share, const ScoreTarget& to,
                                                     float* columns) {
  using Type = StoredAs<P::element>;
  constexpr int at_once = decode_keys<P, R>;
  const Type* row[static_cast<std::size_t>(at_once)];
  ScoreSums<P, R> sum;
  each<at_once>([&](int k) { row[k] = keys.key[key + k]; });
#pragma GCC unroll 8
  for (int k = 0; k < at_once; ++k)
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum[r][k] = Vec(0.0f);
  constexpr std::int64_t line = line_elements<Type>;
  constexpr int beside = keys_side_by_side<P, R>;
  AskingForKeys<P, beside, (R < 4)> asking(keys, key);
  const auto ask = [&](std::int64_t d, int i)
                       __attribute__((always_inline)) { asking.template ask<static_cast<int>(line / P::width)>(d, i); };
  each<at_once / beside>([&](int group) __attribute__((always_inline)) {
    const int first = group * beside;
    const auto step = [&](std::int64_t d) __attribute__((always_inline)) {
      multiply_dims<P, R>(queries + d, pitch, first, [&](int k) { return P::load(row[k] + d); }, sum);
    };
    const auto part = [&](std::int64_t d, int left) {
      multiply_dims<P, R>(queries + d, pitch, first, [&](int k) { return P::load_part(row[k] + d, left); }, sum);
    };
    over_dims<line, P::width>(dim, share, ask, step, part);
  });
  store_scores<P, R>(sum, key, to, columns);
}

template <typename P, int R>
void decode_score_turn(const typename P::Query* queries, std::int64_t pitch, std::int64_t dim,
                       const KeysInTurn<P::element>& keys, std::int64_t count, Share share, const ScoreTarget& to) {
  alignas(64) float columns[by_columns<P, R> ? keys_in_turn * 4 : 1];
  for (std::int64_t key = 0; key < count; key += decode_keys<P, R>)
    decode_score_tile<P, R>(queries, pitch, dim, keys, key, share, to, columns);
  if constexpr (by_columns<P, R>) store_columns<R>(columns, count, to);
}

/// More rows than these have so much to multiply that to ask for keys costs them nothing.
constexpr int most_rows_unasked = 4;

template <typename P, int R = 1>
constexpr auto score_turn(int rows) {
  constexpr bool asks_anyway = P::fetch == Fetch::in_order_from_cache && R > most_rows_unasked;
  using Policy = std::conditional_t<asks_anyway, Fetching<typename P::Policy, Fetch::in_order>, P>;
  if constexpr (R == max_score_rows)
    return decode_score_turn<Policy, R>;
  else
    return rows == R ? decode_score_turn<Policy, R> : score_turn<P, R + 1>(rows);
}

/// Calls f(keys of a turn of `most`, the first of them, how many).
template <int most = keys_in_turn, Element E, typename F>
inline void for_key_turns(const RowsOf<E>& keys, F f) {
  static_assert(most <= keys_in_turn);
  KeysInTurn<E> in_turn;
  for (std::int64_t first = 0; first < keys.count; first += most) {
    keys.template next_rows<most>(first, in_turn.key);
    LinesAhead<E> lines(keys, first);
    in_turn.lines = &lines;
    if (!in_order(keys.fetch)) {
      keys.template rows_ahead<most>(first, in_turn.ahead);
      in_turn.near = keys.bytes_ahead(first, keys.near);
      in_turn.nearer = keys.bytes_ahead(first, keys.nearer);
    }
    f(in_turn, first, keys.count - first < most ? keys.count - first : most);
  }
}

template <typename P>
void decode_scores_of(const typename P::Query* queries, int rows, std::int64_t pitch, std::int64_t dim, float scale,
                      const RowsOf<P::element>& keys, float* scores, std::int64_t score_pitch) {
  const RowGroups groups(rows, groups_for(rows, max_score_rows));
  for_key_turns(keys, [&](const KeysInTurn<P::element>& in_turn, std::int64_t first, std::int64_t count) {
    groups.for_each([&](int row, int size, Share share) {
      const auto turn = with_fetch<P, from_memory_in_order<P>, Fetch::in_order_from_cache>(
          keys.fetch, [&]<typename F>() { return score_turn<F>(size); });
      turn(queries + row * pitch, pitch, dim, in_turn, count, share,
           {scores + first + row * score_pitch, score_pitch, scale});
    });
  });
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

}  // namespace
