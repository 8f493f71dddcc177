// What becomes of a row of scores, keys in lanes: options, softmax, and how the results of two parts of the keys join.
#pragma once

#include "backends/kernels/row_vector.hpp"
#include "backends/kernels/score_options.hpp"
#include "backends/kernels/softmax.hpp"

namespace {

/// score = change(score, key) for each vector of keys, the last one in part.
template <typename Change>
inline void change_row(float* scores, std::int64_t key_count, Change change) {
  std::int64_t key = 0;
  for (; key + vector_lanes <= key_count; key += vector_lanes)
    store_unaligned(scores + key, change(load_unaligned(scores + key), key, vector_lanes));
  if (const int left = static_cast<int>(key_count - key); left > 0) {
    alignas(64) float changed[vector_lanes];
    store(changed, change(load_row_part<Element::f32>(scores + key, left), key, left));
    for (int i = 0; i < left; ++i) scores[key + i] = changed[i];
  }
}

inline Vec load_some(const float* p, int count) {
  return count == vector_lanes ? load_unaligned(p) : load_row_part<Element::f32>(p, count);
}

void softcap_row(float* scores, std::int64_t key_count, float cap) {
  const Vec inverse(1.0f / cap);
  change_row(scores, key_count, [&](Vec score, std::int64_t, int) { return Vec(cap) * tanh(score * inverse); });
}

void bias_row(float* scores, std::int64_t key_count, const float* bias) {
  change_row(scores, key_count,
             [&](Vec score, std::int64_t key, int count) { return score + load_some(bias + key, count); });
}

void select_row(float* scores, std::int64_t key_count, const float* marks) {
  change_row(scores, key_count, [&](Vec score, std::int64_t key, int count) {
    return xsimd::select(load_some(marks + key, count) == minus_infinity(), minus_infinity(), score);
  });
}

/// 0, 1, 2 …
inline Vec lane_numbers() {
  alignas(64) float numbers[vector_lanes];
  for (int i = 0; i < vector_lanes; ++i) numbers[i] = static_cast<float>(i);
  return load(numbers);
}

void alibi_row(float* scores, std::int64_t key_count, float slope, float position) {
  const Vec lanes = lane_numbers();
  change_row(scores, key_count, [&](Vec score, std::int64_t key, int) {
    const Vec distance = xsimd::abs(Vec(position) - (Vec(static_cast<float>(key)) + lanes));
    return multiply_add(Vec(-slope), distance, score);
  });
}

/// As softmax_block() for one row and all its keys at once. keep(weights, key) stores those of two vectors of keys.
template <int degree, bool natural, typename Keep>
inline void softmax_row_in(const float* scores, std::int64_t key_count, float* m, float* l, Keep keep) {
  Vec largest[2] = {minus_infinity(), minus_infinity()};
  for (std::int64_t key = 0; key < key_count; key += tile_lanes)
    each<2>([&](int i) { largest[i] = xsimd::max(largest[i], load(scores + key + i * vector_lanes)); });
  *m = largest_lane(xsimd::max(largest[0], largest[1]));
  const Vec shift(*m < -__FLT_MAX__ ? -__FLT_MAX__ : *m);
  Vec sum[2] = {Vec(0.0f), Vec(0.0f)};
  // By four vectors as long as there are as many, since operations on one wait for each other.
  const auto weigh = [&]<int N>(std::int64_t key) __attribute__((always_inline)) {
    Row<N> score, p;
    each<N>([&](int i) { score[i] = load(scores + key + i * vector_lanes); });
    each<N>([&](int i) { p[i] = in_log2<natural>(score[i] - shift); });
    exp2_all<N, degree>(p);
    each<N>([&](int i) { p[i] = xsimd::select(score[i] == minus_infinity(), Vec(-0.0f), p[i]); });
    each<N>([&](int i) { sum[i % 2] = sum[i % 2] + p[i]; });
    each<N / 2>([&](int i) { keep(p + 2 * i, key + i * tile_lanes); });
  };
  std::int64_t key = 0;
  for (; key + 2 * tile_lanes <= key_count; key += 2 * tile_lanes) weigh.template operator()<4>(key);
  if (key < key_count) weigh.template operator()<2>(key);
  *l = sum_of_lanes(sum[0] + sum[1]);
}

template <int degree, typename Keep>
inline void softmax_row_of(const float* scores, std::int64_t key_count, bool natural, float* m, float* l, Keep keep) {
  const auto softmax = natural ? softmax_row_in<degree, true, Keep> : softmax_row_in<degree, false, Keep>;
  softmax(scores, key_count, m, l, keep);
}

void softmax_row(float* scores, std::int64_t key_count, bool natural, float* m, float* l) {
  softmax_row_of<5>(scores, key_count, natural, m, l, [=](const Vec* weights, std::int64_t key) {
    each<2>([&](int i) { store(scores + key + i * vector_lanes, weights[i]); });
  });
}

void join_rows(float* sums, float mine, const float* others, float theirs, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += vector_lanes)
    store(sums + i, multiply_add(load(sums + i), Vec(mine), load(others + i) * Vec(theirs)));
}

}  // namespace
