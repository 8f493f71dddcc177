// 16-bit floats to f32 and back. Rounding is to nearest, ties to even; NaN stays NaN.
#pragma once

#include <bit>

#include "backends/kernels/vector.hpp"

namespace {

inline float widen(std::uint16_t bits, bool bf16) {
  if (bf16) return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  // Exponent and fraction moved into place are off by a factor of 2¹¹², for subnormals too; 65536 and more was inf or
  // NaN.
  const std::uint32_t magnitude = static_cast<std::uint32_t>(bits & 0x7fffu) << 13;
  std::uint32_t wide = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  if (magnitude >= 0x0f800000u) wide = magnitude | 0x7f800000u;
  return std::bit_cast<float>(wide | static_cast<std::uint32_t>(bits & 0x8000u) << 16);
}

inline std::uint16_t narrow_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline std::uint16_t narrow_f16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 65520 and more round to inf
  if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 leaves the rounded fraction in the low bits
    const float sum = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(sum) - 0x3f000000u));
  }
  magnitude += 0xc8000fffu + ((magnitude >> 13) & 1u);  // exponent bias 127 → 15, and half of the last place
  return static_cast<std::uint16_t>(sign | (magnitude >> 13));
}

#if defined(__AVX512F__)
constexpr int half_lanes = 16;
inline __m512 widened(__m256i bits, bool bf16) {
  return bf16 ? _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)) : _mm512_cvtph_ps(bits);
}
/// Each lane rounded to bf16, in its upper half; the lower one is of no meaning. In integers, since the instruction for
/// it takes subnormals for 0.
inline __m512i rounded_to_bf16(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i nearest = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_mask_or_epi32(nearest, nan, bits, _mm512_set1_epi32(0x400000));  // quiet
}
inline __m256i narrowed(__m512 x, bool bf16) {
  return bf16 ? _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded_to_bf16(x), 16))
              : _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}
inline void widen_vector(const std::uint16_t* from, bool bf16, float* to) {
  _mm512_storeu_ps(to, widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)), bf16));
}
inline void narrow_vector(const float* from, bool bf16, std::uint16_t* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrowed(_mm512_loadu_ps(from), bf16));
}
#elif defined(__AVX2__) && defined(__F16C__)
constexpr int half_lanes = 8;
inline __m256 widened(__m128i bits, bool bf16) {
  return bf16 ? _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)) : _mm256_cvtph_ps(bits);
}
inline void widen_vector(const std::uint16_t* from, bool bf16, float* to) {
  _mm256_storeu_ps(to, widened(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)), bf16));
}
inline __m128i narrowed_to_bf16(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x), upper = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
  __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  rounded = _mm256_srli_epi32(rounded, 16);
  const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
  rounded = _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(rounded, rounded), 0x08));
}
inline void narrow_vector(const float* from, bool bf16, std::uint16_t* to) {
  const __m256 x = _mm256_loadu_ps(from);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   bf16 ? narrowed_to_bf16(x) : _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
#elif defined(__aarch64__)
constexpr int half_lanes = 4;
inline void widen_vector(const std::uint16_t* from, bool bf16, float* to) {
  const uint16x4_t bits = vld1_u16(from);
  vst1q_f32(to, bf16 ? vreinterpretq_f32_u32(vshll_n_u16(bits, 16)) : vcvt_f32_f16(vreinterpret_f16_u16(bits)));
}
inline void narrow_vector(const float* from, bool bf16, std::uint16_t* to) {
  if (!bf16) return vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(from))));
  for (int i = 0; i < half_lanes; ++i) to[i] = narrow_bf16(from[i]);
}
#else
constexpr int half_lanes = 4;
inline void widen_vector(const std::uint16_t* from, bool bf16, float* to) {
#if defined(__SSE2__)
  const __m128i bits = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)), zero = _mm_setzero_si128();
  if (bf16) return _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_unpacklo_epi16(zero, bits));
  // As widen() has it.
  const __m128i half = _mm_unpacklo_epi16(bits, zero);
  const __m128i magnitude = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x7fff)), 13);
  const __m128i infinite =
      _mm_and_si128(_mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x0f7fffff)), _mm_set1_epi32(0x7f800000));
  const __m128i sign = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x8000)), 16);
  const __m128 wide = _mm_mul_ps(_mm_castsi128_ps(magnitude), _mm_set1_ps(0x1p112f));
  _mm_storeu_ps(to, _mm_or_ps(wide, _mm_castsi128_ps(_mm_or_si128(infinite, sign))));
#else
  for (int i = 0; i < half_lanes; ++i) to[i] = widen(from[i], bf16);
#endif
}
inline void narrow_vector(const float* from, bool bf16, std::uint16_t* to) {
  for (int i = 0; i < half_lanes; ++i) to[i] = bf16 ? narrow_bf16(from[i]) : narrow_f16(from[i]);
}
#endif

/// The last elements of a row, fewer than half_lanes.
#if defined(__AVX512F__)
inline __mmask16 first_lanes(std::int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }
inline void widen_part(const std::uint16_t* from, bool bf16, std::int64_t count, float* to) {
  const __m256i bits = _mm256_maskz_loadu_epi16(first_lanes(count), from);
  _mm512_mask_storeu_ps(to, first_lanes(count), widened(bits, bf16));
}
inline void narrow_part(const float* from, bool bf16, std::int64_t count, std::uint16_t* to) {
  const __m512 x = _mm512_maskz_loadu_ps(first_lanes(count), from);
  _mm256_mask_storeu_epi16(to, first_lanes(count), narrowed(x, bf16));
}
#else
inline void widen_part(const std::uint16_t* from, bool bf16, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = widen(from[i], bf16);
}
inline void narrow_part(const float* from, bool bf16, std::int64_t count, std::uint16_t* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = bf16 ? narrow_bf16(from[i]) : narrow_f16(from[i]);
}
#endif

void widen_row(const std::uint16_t* from, bool bf16, std::int64_t count, float* to) {
  std::int64_t i = 0;
  for (; i + half_lanes <= count; i += half_lanes) widen_vector(from + i, bf16, to + i);
  if (i < count) widen_part(from + i, bf16, count - i, to + i);
}

void narrow_row(const float* from, bool bf16, std::int64_t count, std::uint16_t* to) {
  std::int64_t i = 0;
  for (; i + half_lanes <= count; i += half_lanes) narrow_vector(from + i, bf16, to + i);
  if (i < count) narrow_part(from + i, bf16, count - i, to + i);
}

}  // namespace
