// The vector type of the instruction set that this object is compiled for, and what xsimd lacks.
// ATTUNE_KERNEL_ARCH is an xsimd architecture, given by the build.
#pragma once

#include <cstddef>
#include <cstdint>

#include <xsimd/xsimd.hpp>

namespace {

using Arch = ATTUNE_KERNEL_ARCH;
using Vec = xsimd::batch<float, Arch>;

constexpr int vector_lanes = static_cast<int>(Vec::size);
constexpr int tile_lanes = 2 * vector_lanes;

// Accumulators of a tile: rows · 2 vectors, and room for two loads and a broadcast beside them.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int tile_rows = 8;  // 32 registers
#else
constexpr int tile_rows = 6;  // 16 registers
#endif

/// Accumulators: V vectors of lanes, and R rows of them.
template <int V>
using Row = Vec[static_cast<std::size_t>(V)];
template <int R, int V>
using Block = Vec[static_cast<std::size_t>(R)][static_cast<std::size_t>(V)];

/// f(0) … f(N − 1), unrolled.
template <int N, typename F>
[[gnu::always_inline]] inline void each(F f) {
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) f(i);
}

inline Vec load(const float* p) { return Vec::load_aligned(p); }
inline void store(float* p, Vec v) { v.store_aligned(p); }

/// x, loaded into a register. Where it is used several times g++ may otherwise load it for each use, as an operand of
/// the instruction, and a core has fewer loads in a cycle than multiply-adds.
template <typename Register>
inline Register in_register(Register x) {
#if defined(__aarch64__)
  __asm__("" : "+w"(x));
#elif defined(__AVX512F__)
  __asm__("" : "+v"(x));
#else
  __asm__("" : "+x"(x));
#endif
  return x;
}
inline Vec in_register(Vec x) { return in_register(static_cast<Vec::register_type>(x)); }

/// a · b + c, rounded once where the instruction set has it. (xsimd 8.1 knows no fused form for AVX-512.)
inline Vec multiply_add(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#else
  return xsimd::fma(a, b, c);
#endif
}

/// The bits of x shifted up by 23, read as a float: an integer in the low bits becomes a power of two.
inline Vec low_bits_as_exponent(Vec x) {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::bitwise_cast<float>(xsimd::bitwise_cast<std::int32_t>(x) << 23);
#else
  using Int = xsimd::batch<std::int32_t, Arch>;
  return xsimd::bitwise_cast<Vec>(xsimd::bitwise_cast<Int>(x) << 23);
#endif
}

/// x[i] = 2^x[i] for x ≤ 0: exp2(0) = 1 exactly, exp2(−inf) = 0, NaN stays NaN. Relative error 1.7e-7 (2 ulp) at degree
/// 5: one degree less is visible in an f32 output (1.8e-6 against 8e-7), one more is not. Degree 4 (2.8e-6) is for
/// weights that are then rounded to bf16 (2e-3).
/// The N chains go step by step, since one alone would wait for the latency of each of its operations.
template <int N, int degree = 5>
[[gnu::always_inline]] inline void exp2_all(Row<N>& x) {
  static_assert(degree == 4 || degree == 5);
  Row<N> n, f, p;
#if defined(__AVX512F__)
  // An infinity less itself is NaN here, which scalef() by −inf still makes 0.
  each<N>([&](int i) { n[i] = _mm512_roundscale_ps(x[i], 0); });
  each<N>([&](int i) { f[i] = x[i] - n[i]; });
#else
  // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits of the sum, here with the exponent's bias
  // of 127 on top. From −127 on down that is the exponent field of 0. (max() with a NaN is its second argument.)
  const Vec magic(12582912.0f + 127.0f);
  each<N>([&](int i) { x[i] = xsimd::max(Vec(-127.0f), x[i]); });
  each<N>([&](int i) { n[i] = x[i] + magic; });
  each<N>([&](int i) { f[i] = n[i] - magic; });
  each<N>([&](int i) { f[i] = x[i] - f[i]; });
#endif
  if constexpr (degree == 5) {
    each<N>([&](int i) { p[i] = multiply_add(Vec(1.326472726e-3f), f[i], Vec(9.671512710e-3f)); });
    each<N>([&](int i) { p[i] = multiply_add(p[i], f[i], Vec(5.550733744e-2f)); });
    each<N>([&](int i) { p[i] = multiply_add(p[i], f[i], Vec(2.402224208e-1f)); });
    each<N>([&](int i) { p[i] = multiply_add(p[i], f[i], Vec(6.931469776e-1f)); });
  } else {
    each<N>([&](int i) { p[i] = multiply_add(Vec(9.582852945e-3f), f[i], Vec(5.590642616e-2f)); });
    each<N>([&](int i) { p[i] = multiply_add(p[i], f[i], Vec(2.402409911e-1f)); });
    each<N>([&](int i) { p[i] = multiply_add(p[i], f[i], Vec(6.931241751e-1f)); });
  }
  each<N>([&](int i) { p[i] = multiply_add(p[i], f[i], Vec(1.0f)); });
#if defined(__AVX512F__)
  each<N>([&](int i) { x[i] = _mm512_scalef_ps(p[i], n[i]); });
#else
  each<N>([&](int i) { x[i] = p[i] * low_bits_as_exponent(n[i]); });
#endif
}

inline Vec exp2(Vec x) {
  Row<1> one = {x};
  exp2_all<1>(one);
  return one[0];
}

inline Vec load_unaligned(const float* p) { return Vec::load_unaligned(p); }
inline void store_unaligned(float* p, Vec v) { v.store_unaligned(p); }

inline Vec minus_infinity() { return Vec(-__builtin_inff()); }

}  // namespace
