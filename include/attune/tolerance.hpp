// How far a result in single precision may lie from the definition: derived, not tuned, and used row by row. The
// conformance suite holds every backend to it, and tuning lets nobody win who exceeds it.
//
// With u = 2⁻²⁴ the rounding of one f32 operation (ε = 2u), a row's output is Σ pⱼ vⱼ / Σ pⱼ with pⱼ = exp(sⱼ − m).
// What moves it are relative errors eⱼ of the pⱼ, that is, absolute errors of the exponents sⱼ − m, and the roundings
// of two sums. What e is made of, roundings taken as independent, each with a standard deviation of u/√3 of what is
// rounded:
//
// 1. The dot product: D additions, each rounding a partial sum.
//    - Terms of either sign: partial sums grow like √t, the total error has σ = 0.6·u·A with A = |scale|·Σ|q_d k_d|,
//      whatever D is. Two keys that compete for the weight differ by √2 of that.
//    - Terms of one sign: partial sums grow like t, σ = u·A·√D/3. Scores are scaled so that |q|, |k| ≈ √D, and then
//      A ≤ √D (Cauchy and Schwarz): σ ≤ u·D/3.
// 2. Everything that is rounded at the size of the score itself (scale · log₂e, softcap, bias, subtracting the
//    maximum): a few u times A, which therefore counts |bias|, softcap and |maximum| in. Only keys within 30 of the
//    maximum matter: the rest weighs less than 10⁻¹³.
// 3. exp2 (2 ulp), the two sums over the keys (a growing sum rounded at random: 0.2·√n·u, for 4096 keys 13u), the
//    final division: some u, whatever D and A are.
//
// The output follows as c₁·ε·(g(D) + A) · Σ wⱼ|vⱼ|, with g(D) = D/4 + 8. Of c₁ = 4 comes 8u·A, nine σ of two
// competing scores of mixed signs; 2u·D, six σ of scores of one sign; 64u for the rest.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <attune/dtype.hpp>

namespace attune::tolerance {

inline constexpr double c1 = 4;
inline constexpr double epsilon = 0x1p-23;
/// Keys whose score lies further than this below the row's maximum do not count for A.
inline constexpr double reach = 30;
/// Results below the smallest normal f32 may be flushed to zero, key by key.
inline constexpr double smallest_normal = 0x1p-126;

inline double g(std::int64_t head_dim) { return static_cast<double>(head_dim) / 4 + 8; }

/// c₁·ε·(g(D) + A): how far a weight may be off, relative to itself.
inline double relative_tolerance(std::int64_t head_dim, double amplitude) {
  return c1 * epsilon * (g(head_dim) + amplitude);
}

/// ε_P: where values are bf16, weights may be rounded to bf16 (8 bits) before the product with V.
inline double weight_rounding(DType value) { return value == DType::bf16 ? 0x1p-8 : 0; }

/// For one element of the output; half an ulp of the output's type comes on top.
/// `mass` is Σ wⱼ|vⱼ| of that element's column, `keys` the number of keys attended.
inline double out_tolerance(double relative, double epsilon_p, double mass, std::int64_t keys) {
  return (relative + epsilon_p) * mass + static_cast<double>(keys) * smallest_normal;
}

/// lse = m + log Σ pⱼ: relative errors of the pⱼ are absolute errors of the logarithm. The logarithm and the last sum
/// are rounded at their own size.
inline double lse_tolerance(double relative, double lse) { return relative + epsilon * std::abs(lse); }

/// A weight is off by its own error and by that of the sum, each at most `relative`. Scores out of reach are not
/// covered by A, but then the weight itself is next to nothing (e⁻³⁰ < 2⁻⁴³; allowed: 2⁻⁴⁰).
inline double weight_tolerance(double relative, double weight) {
  return 2 * relative * weight + (weight < 0x1p-43 ? 0x1p-40 : 0) + smallest_normal;
}

/// At least half the distance between neighbouring numbers of the type at this magnitude: the rounding of an output.
inline double half_ulp(DType dtype, double magnitude) {
  switch (dtype) {
    case DType::f16:
      return std::max(0x1p-11 * magnitude, 0x1p-25);
    case DType::bf16:
      return 0x1p-8 * magnitude + smallest_normal;
    case DType::f64:
      return 0x1p-53 * magnitude + smallest_normal;
    default:
      return 0x1p-24 * magnitude + smallest_normal;
  }
}

}  // namespace attune::tolerance
