// What the options do to a block of scores [key][lane] between the product and the softmax. Each function passes over
// the block once and leaves the lanes' maxima, so that the last one in a row counts.
#pragma once

#include "backends/kernels/transpose.hpp"

namespace {

/// score = change(score, key, v) for all keys of the lanes in use.
template <int V, typename Change>
inline void change_scores(float* scores, std::int64_t key_count, float* row_max, Change change) {
  Row<V> largest;
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) largest[v] = minus_infinity();
  for (std::int64_t key = 0; key < key_count; ++key)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      float* at = scores + key * tile_lanes + v * vector_lanes;
      const Vec score = change(load(at), key, v);
      largest[v] = xsimd::max(largest[v], score);
      store(at, score);
    }
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) store(row_max + v * vector_lanes, largest[v]);
}

/// Keys outside begin ≤ key < end of each lane become −inf.
template <int V>
void mask_block(float* scores, std::int64_t key_count, const float* begin, const float* end, float* row_max) {
  Row<V> first, last;
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) {
    first[v] = load(begin + v * vector_lanes);
    last[v] = load(end + v * vector_lanes);
  }
  change_scores<V>(scores, key_count, row_max, [&](Vec score, std::int64_t key, int v) {
    const Vec index(static_cast<float>(key));
    return xsimd::select(index >= first[v] && index < last[v], score, minus_infinity());
  });
}

/// tanh(x) = (1 − e^−2|x|) / (1 + e^−2|x|), with the sign of x. The difference has an absolute error of some 2⁻²⁴,
/// which softcap would multiply by the cap: near 0 the first terms of the series take its place (relative error 1e-7).
inline Vec tanh(Vec x) {
  const Vec limit(10.0f);  // tanh(10) rounds to 1; NaN passes both comparisons
  x = xsimd::select(x > limit, limit, x);
  x = xsimd::select(x < -limit, -limit, x);
  // exp2() is for arguments of at most 0.
  const Vec magnitude = xsimd::abs(x);
  const Vec t = exp2(magnitude * Vec(-2.885390082f));
  const Vec result = (Vec(1.0f) - t) / (Vec(1.0f) + t);
  const Vec square = x * x;
  const Vec series = multiply_add(multiply_add(square, Vec(0.1333333333f), Vec(-0.3333333333f)), square * x, x);
  return xsimd::select(magnitude < Vec(0.1f), series, xsimd::select(x < Vec(0.0f), -result, result));
}

template <int V>
void softcap_block(float* scores, std::int64_t key_count, float cap, float* row_max) {
  const Vec inverse(1.0f / cap), scale(cap);
  change_scores<V>(scores, key_count, row_max,
                   [&](Vec score, std::int64_t, int) { return scale * tanh(score * inverse); });
}

/// score −= slope · |position − key|
template <int V>
void alibi_block(float* scores, std::int64_t key_count, const float* slopes, const float* positions, float* row_max) {
  change_scores<V>(scores, key_count, row_max, [&](Vec score, std::int64_t key, int v) {
    const Vec distance = xsimd::abs(load(positions + v * vector_lanes) - Vec(static_cast<float>(key)));
    return multiply_add(-load(slopes + v * vector_lanes), distance, score);
  });
}

/// One addend, or one mark of a masked key. A mark of −inf replaces the score, whatever it was: NaN must not survive
/// it.
template <bool selects>
inline Vec biased(Vec score, Vec bias) {
  if constexpr (selects)
    return xsimd::select(bias == minus_infinity(), minus_infinity(), score);
  else
    return score + bias;
}

template <bool selects>
inline void apply_bias(float* score, Vec bias, Vec& largest) {
  const Vec result = biased<selects>(load(score), bias);
  store(score, result);
  largest = xsimd::max(largest, result);
}

/// As many keys from `first` on as a vector has lanes, of one vector of lanes, from rows in the queries' order.
template <bool selects>
inline Vec bias_square(float* scores, const float* const* rows, std::int64_t first, Vec largest) {
  Square bias;
  load_square(rows, first, bias);
  each<vector_lanes>([&](int i) { apply_bias<selects>(scores + (first + i) * tile_lanes, bias[i], largest); });
  return largest;
}

/// The last keys, n of them.
template <bool selects>
inline Vec bias_tail(float* scores, const float* const* rows, std::int64_t first, int n, Vec largest) {
  alignas(64) float column[vector_lanes];
  for (std::int64_t key = first; key < first + n; ++key) {
    for (int i = 0; i < vector_lanes; ++i) column[i] = rows[i][key];
    apply_bias<selects>(scores + key * tile_lanes, load(column), largest);
  }
  return largest;
}

inline bool one_row_for_all(const float* const* rows, int lanes) {
  for (int lane = 1; lane < lanes; ++lane)
    if (rows[lane] != rows[0]) return false;
  return true;
}

template <int V, bool selects>
void bias_block(float* scores, std::int64_t key_count, const float* const* rows, float* row_max) {
  if (one_row_for_all(rows, V * vector_lanes)) {
    change_scores<V>(scores, key_count, row_max,
                     [&](Vec score, std::int64_t key, int) { return biased<selects>(score, Vec(rows[0][key])); });
    return;
  }
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) {
    Vec largest = minus_infinity();
    std::int64_t first = 0;
    for (; first + vector_lanes <= key_count; first += vector_lanes)
      largest = bias_square<selects>(scores + v * vector_lanes, rows + v * vector_lanes, first, largest);
    largest = bias_tail<selects>(scores + v * vector_lanes, rows + v * vector_lanes, first,
                                 static_cast<int>(key_count - first), largest);
    store(row_max + v * vector_lanes, largest);
  }
}

void make_marks(const std::uint8_t* keep, std::int64_t count, float* marks) {
  std::int64_t i = 0;
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  for (; i + 16 <= count; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(keep + i));
    const __mmask16 masked = _mm_testn_epi8_mask(bytes, bytes);
    _mm512_storeu_ps(marks + i, _mm512_maskz_mov_ps(masked, _mm512_set1_ps(-__builtin_inff())));
  }
#elif defined(__AVX2__)
  for (; i + 8 <= count; i += 8) {
    const __m256i words = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(keep + i)));
    const __m256i masked = _mm256_cmpeq_epi32(words, _mm256_setzero_si256());
    _mm256_storeu_ps(marks + i, _mm256_and_ps(_mm256_castsi256_ps(masked), _mm256_set1_ps(-__builtin_inff())));
  }
#endif
  for (; i < count; ++i) marks[i] = keep[i] != 0 ? 0.0f : -__builtin_inff();
}

}  // namespace
