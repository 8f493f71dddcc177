// How far tiled linear attention may lie from the definition: a worst case, in which nothing is taken as random.
//
// With u = 2⁻²⁴:
// - A feature: x + 1 is rounded once; eˣ is off by 2 ulp and by what rounding x · log₂e to f32 makes of it, |x|·u each
//   for the product and its constant: e_φ = (4 + 2·A)·u with A the largest |x| of a negative element.
// - A sum of n terms of which Σ|·| is known is off by at most u · Σ|·| for each addition a term goes through: 512 keys
//   of a segment one after the other, then a sum for each segment, D features, 64 keys of a chunk.
// So Σ w v is off by (2·e_φ + (min(n, 512) + n/512 + D + 66)·u) · Σ w|v|, Σ w by as much of itself, and the quotient by
// both; the division and the oracle's own rounding add 2u.
#pragma once

#include <algorithm>
#include <cstdint>

namespace attune::test {

struct LinearTolerance {
  double feature, additions;

  LinearTolerance(std::int64_t keys, std::int64_t dim, double largest_negative)
      : feature((4 + 2 * largest_negative) * u),
        additions((static_cast<double>(std::min<std::int64_t>(keys, 512) + keys / 512 + dim) + 66) * u) {}

  static constexpr double u = 0x1p-24;
  /// Times Σ w|v| / Σ w.
  double of_out() const { return 2 * (2 * feature + additions) + 2 * u; }
  /// Times Σ φ(k)|v|.
  double of_state() const { return feature + additions + 2 * u; }
};

}  // namespace attune::test
