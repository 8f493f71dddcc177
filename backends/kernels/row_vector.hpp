// Vectors along a row of memory: elements of any dtype in, f32 lanes out, whole vectors and the part at a row's end;
// and the sums over the lanes of several vectors at once. What the instruction sets have for it, and the generic forms.
#pragma once

#include "backends/kernels/half.hpp"
#include "backends/kernels/kernels.hpp"
#include "backends/kernels/transpose.hpp"
#include "backends/kernels/vector.hpp"

namespace {

using attune::kernels::Element;

/// How an element is stored.
template <Element E>
struct Stored {
  using Type = std::uint16_t;
};
template <>
struct Stored<Element::f32> {
  using Type = float;
};
template <Element E>
using StoredAs = typename Stored<E>::Type;

/// f.operator()<E>() for the element at hand.
template <typename F>
inline void with_element(Element element, F f) {
  switch (element) {
    case Element::f32:
      return f.template operator()<Element::f32>();
    case Element::f16:
      return f.template operator()<Element::f16>();
    case Element::bf16:
      return f.template operator()<Element::bf16>();
  }
}

/// vector_lanes elements as f32.
template <Element E>
inline Vec load_row(const StoredAs<E>* p) {
  if constexpr (E == Element::f32) {
    return load_unaligned(p);
  } else {
#if defined(__AVX512F__)
    return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), E == Element::bf16);
#elif defined(__AVX2__) && defined(__F16C__)
    return widened(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), E == Element::bf16);
#else
    static_assert(half_lanes == vector_lanes);
    alignas(64) float wide[vector_lanes];
    widen_vector(p, E == Element::bf16, wide);
    return load(wide);
#endif
  }
}

/// The first `count` < vector_lanes elements, and 0 in the other lanes. Nothing beyond them is read.
template <Element E>
inline Vec load_row_part(const StoredAs<E>* p, int count) {
#if defined(__AVX512F__)
  const __mmask16 mask = first_lanes(count);
  if constexpr (E == Element::f32) {
    return _mm512_maskz_loadu_ps(mask, p);
  } else {
    return widened(_mm256_maskz_loadu_epi16(mask, p), E == Element::bf16);
  }
#else
#if defined(__AVX2__)
  if constexpr (E == Element::f32) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes));
  }
#endif
  alignas(64) StoredAs<E> part[vector_lanes];
#pragma GCC unroll 8
  for (int i = 0; i < vector_lanes; ++i) part[i] = i < count ? p[i] : StoredAs<E>{};
  return load_row<E>(part);
#endif
}

/// Stores the first `count` < vector_lanes lanes and nothing beyond them.
inline void store_row_part(float* p, Vec v, int count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, first_lanes(count), v);
#elif defined(__AVX2__)
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  _mm256_maskstore_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes), v);
#else
  alignas(64) float lanes[vector_lanes];
  store(lanes, v);
  for (int i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

/// Four lanes of a row.
#if defined(__AVX2__)
using Quad = __m128;
inline Quad load_quad(const float* p) { return _mm_load_ps(p); }
inline void store_quad(float* p, Quad x) { _mm_storeu_ps(p, x); }
inline Quad scaled_quad(Quad x, float scale) { return _mm_mul_ps(x, _mm_set1_ps(scale)); }
inline void transpose_quads(Quad (&q)[4]) { _MM_TRANSPOSE4_PS(q[0], q[1], q[2], q[3]); }
#else
static_assert(vector_lanes == 4);
using Quad = Vec;
inline Quad load_quad(const float* p) { return load(p); }
inline void store_quad(float* p, Quad x) { store_unaligned(p, x); }
inline Quad scaled_quad(Quad x, float scale) { return x * Vec(scale); }
inline void transpose_quads(Quad (&q)[4]) { transpose(q); }
#endif

#if defined(__AVX512F__)
/// Four sums in each quarter of the lanes, over that quarter of four vectors.
inline Vec sums_of_quarters(Vec a, Vec b, Vec c, Vec d) {
  const __m512d ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
  const __m512d cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
  return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
}

/// Each quarter of the lanes into a row of its own.
inline void store_quarters(float* p, std::int64_t pitch, Vec x) {
  store_quad(p, _mm512_castps512_ps128(x));
  store_quad(p + pitch, _mm512_extractf32x4_ps(x, 1));
  store_quad(p + 2 * pitch, _mm512_extractf32x4_ps(x, 2));
  store_quad(p + 3 * pitch, _mm512_extractf32x4_ps(x, 3));
}
#endif

/// The sums over the lanes of four vectors. In what order lanes are summed is the same for each.
inline Quad sums_of_lanes(Vec a, Vec b, Vec c, Vec d) {
#if defined(__AVX512F__)
  const __m512d quarters = _mm512_castps_pd(sums_of_quarters(a, b, c, d));
  const __m256 halves = _mm256_add_ps(_mm256_castpd_ps(_mm512_castpd512_pd256(quarters)),
                                      _mm256_castpd_ps(_mm512_extractf64x4_pd(quarters, 1)));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
#elif defined(__AVX2__)
  const __m256d ab = _mm256_castps_pd(_mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)));
  const __m256d cd = _mm256_castps_pd(_mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d)));
  const __m256 halves =
      _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd)), _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd)));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
#else
  const Vec ac = xsimd::zip_lo(a, c) + xsimd::zip_hi(a, c);
  const Vec bd = xsimd::zip_lo(b, d) + xsimd::zip_hi(b, d);
  return xsimd::zip_lo(ac, bd) + xsimd::zip_hi(ac, bd);
#endif
}

/// f over all lanes, in four chains: a single one would wait for the latency of each step.
template <typename F>
inline float over_lanes(Vec x, F f) {
  alignas(64) float lanes[vector_lanes];
  store(lanes, x);
  float chain[4] = {lanes[0], lanes[1], lanes[2], lanes[3]};
#pragma GCC unroll 16
  for (int i = 4; i < vector_lanes; ++i) chain[i % 4] = f(chain[i % 4], lanes[i]);
  return f(f(chain[0], chain[1]), f(chain[2], chain[3]));
}

inline float sum_of_lanes(Vec x) {
  return over_lanes(x, [](float a, float b) { return a + b; });
}
inline float largest_lane(Vec x) {
  return over_lanes(x, [](float a, float b) { return a < b ? b : a; });
}

}  // namespace
