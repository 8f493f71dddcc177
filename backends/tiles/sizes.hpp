// Arithmetic of sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace attune::tiles {

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) noexcept { return (a + b - 1) / b; }
constexpr std::int64_t rounded_up(std::int64_t n, std::int64_t to) noexcept { return divide_up(n, to) * to; }

/// Floats rounded up to a multiple of 16, so that what follows them in scratch memory is aligned.
constexpr std::size_t padded_floats(std::int64_t floats) noexcept {
  return (static_cast<std::size_t>(floats) + 15) / 16 * 16;
}

/// How many floats a · b are, or more than any machine has where that overflows. Sums of a few of them do not.
constexpr std::int64_t float_count(std::int64_t a, std::int64_t b) noexcept {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 64;
  return a > 0 && b > most / a ? most : a * b;
}

}  // namespace attune::tiles
