// Scores of f32 by fours, where a vector has 16 lanes: four elements of each of four rows of queries, against the same
// four of a key in each quarter. What is left to add up at the end are four lanes where whole rows leave sixteen: a
// quarter of the shuffles. In exchange a key's elements come four at a time, in as many loads as multiply-adds for a
// single quad of rows: so this is for two and more. (Pairs of bf16, at twice the rate, go by eights.)
#pragma once

#include "backends/kernels/decode_queries.hpp"
#include "backends/kernels/decode_scores.hpp"

namespace {

#if defined(__AVX512F__)

/// Keys that Q quads of rows meet at once.
template <int Q>
constexpr int quad_keys = Q == 2 ? 12 : 8;
constexpr int max_quads = 3;

/// sum[quad][key] += the products of one step of dims.
template <typename P, int Q, typename LoadKey>
[[gnu::always_inline]] inline void multiply_quads(const typename P::Query* queries, std::int64_t pitch,
                                                  LoadKey load_key, Block<Q, quad_keys<Q>>& sum) {
  typename P::Operand query[static_cast<std::size_t>(Q)];
  each<Q>([&](int q) { query[q] = P::query(queries + q * quad * pitch); });
  each<quad_keys<Q>>([&](int k) {
    const typename P::Operand key = load_key(k);
#pragma GCC unroll 3
    for (int q = 0; q < Q; ++q) sum[q][k] = P::add(sum[q][k], key, query[q]);
  });
}

template <typename P, int Q>
[[gnu::always_inline]] inline void quad_score_tile(const typename P::Query* queries, std::int64_t pitch,
                                                   std::int64_t dim, const KeysInTurn<P::element>& keys,
                                                   std::int64_t key, Share share, const ScoreTarget& to) {
  using Type = StoredAs<P::element>;
  constexpr int at_once = quad_keys<Q>;
  const Type* row[static_cast<std::size_t>(at_once)];
  Block<Q, at_once> sum;
  each<at_once>([&](int k) {
    row[k] = keys.key[key + k];
#pragma GCC unroll 3
    for (int q = 0; q < Q; ++q) sum[q][k] = Vec(0.0f);
  });
  const auto step = [&](std::int64_t d) __attribute__((always_inline)) {
    multiply_quads<P, Q>(queries + quad * d, pitch, [&](int k) { return P::key(row[k] + d); }, sum);
  };
  const auto part = [&](std::int64_t d, int left) {
    multiply_quads<P, Q>(queries + quad * d, pitch, [&](int k) { return P::key_part(row[k] + d, left); }, sum);
  };
  constexpr std::int64_t line = line_elements<Type>, width = quad;
  AskingForKeys<P, at_once, false> asking(keys, key);
  const auto ask = [&](std::int64_t d, int i)
                       __attribute__((always_inline)) { asking.template ask<static_cast<int>(line / width)>(d, i); };
  over_dims<line, width>(dim, share, ask, step, part);
#pragma GCC unroll 3
  for (int q = 0; q < Q; ++q)
#pragma GCC unroll 3
    for (int k = 0; k < at_once; k += 4) {
      const Vec sums = sums_of_quarters(sum[q][k], sum[q][k + 1], sum[q][k + 2], sum[q][k + 3]);
      store_quarters(to.scores + q * quad * to.pitch + key + k, to.pitch, sums * Vec(to.scale));
    }
}

template <typename P, int Q>
void quad_score_turn(const typename P::Query* queries, std::int64_t pitch, std::int64_t dim,
                     const KeysInTurn<P::element>& keys, std::int64_t count, Share share, const ScoreTarget& to) {
  static_assert(keys_in_turn % quad_keys<Q> == 0);
  for (std::int64_t key = 0; key < count; key += quad_keys<Q>)
    quad_score_tile<P, Q>(queries, pitch, dim, keys, key, share, to);
}

template <typename P>
constexpr auto quad_score_turn_of(int quads) {
  return quads == 2 ? quad_score_turn<P, 2> : quad_score_turn<P, 3>;
}

/// decode_scores_of() for rows in quads.
template <typename P>
void quad_scores_of(const typename P::Query* queries, int rows, std::int64_t pitch, std::int64_t dim, float scale,
                    const RowsOf<P::element>& keys, float* scores, std::int64_t score_pitch) {
  const RowGroups groups(rows / quad, groups_for(rows / quad, max_quads));
  for_key_turns(keys, [&](const KeysInTurn<P::element>& in_turn, std::int64_t first, std::int64_t count) {
    groups.for_each([&](int of, int size, Share share) {
      const auto turn = with_fetch<P, Fetch::in_order, Fetch::in_order>(
          keys.fetch, [&]<typename F>() { return quad_score_turn_of<F>(size); });
      const std::int64_t row = of * quad;
      turn(queries + row * pitch, pitch, dim, in_turn, count, share,
           {scores + first + row * score_pitch, score_pitch, scale});
    });
  });
}

struct QuadScores {
  using Query = float;
  using Operand = Vec;
  static constexpr Element element = Element::f32;
  static Operand query(const Query* p) { return in_register(::load(p)); }
  static Operand key(const float* p) { return in_register(Vec(_mm512_broadcast_f32x4(_mm_loadu_ps(p)))); }
  static Operand key_part(const float* p, int count) {
    return _mm512_broadcast_f32x4(_mm_maskz_loadu_ps(static_cast<__mmask8>((1u << count) - 1), p));
  }
  static Vec add(Vec sum, Operand key, Operand query) { return multiply_add(key, query, sum); }
};

#endif

void decode_scores(const float* queries, int rows, std::int64_t pitch, std::int64_t dim, const StoredRows& keys,
                   float* scores, std::int64_t score_pitch) {
#if defined(__AVX512F__)
  if (in_quads(rows, keys.element))
    return quad_scores_of<QuadScores>(queries, rows, pitch, dim, 1.0f, {keys, dim}, scores, score_pitch);
#endif
  with_element(keys.element, [&]<Element E>() {
    decode_scores_of<WideScores<E>>(queries, rows, pitch, dim, 1.0f, {keys, dim}, scores, score_pitch);
  });
}

}  // namespace
