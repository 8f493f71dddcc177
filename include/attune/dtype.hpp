// Element types. The 16-bit floats are types of our own: not every compiler that builds Attune has
// _Float16, and nobody has bfloat16 everywhere.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace attune {

enum class DType : std::uint8_t { f32, f16, bf16, f64, boolean, u8, i32, i64 };

constexpr std::size_t size_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::boolean:
    case DType::u8:
      return 1;
  }
  return 0;
}

constexpr const char* name(DType dtype) noexcept {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::f64:
      return "f64";
    case DType::boolean:
      return "bool";
    case DType::u8:
      return "u8";
    case DType::i32:
      return "i32";
    case DType::i64:
      return "i64";
  }
  return "unknown";
}

constexpr bool is_float(DType dtype) noexcept {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64;
}

/// IEEE 754 binary16, stored as its bits.
struct float16 {
  std::uint16_t bits = 0;
};

/// The upper half of an IEEE 754 binary32, stored as its bits.
struct bfloat16 {
  std::uint16_t bits = 0;
};

constexpr float to_float(bfloat16 x) noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }

constexpr float to_float(float16 x) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000u) << 16;
  const std::uint32_t exponent = (x.bits >> 10) & 0x1fu;
  const std::uint32_t fraction = x.bits & 0x3ffu;
  if (exponent == 0x1fu) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent == 0) {  // zero or subnormal: fraction · 2⁻²⁴, exact in binary32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

namespace detail {

/// Rounds to the nearest value of a narrower binary format, ties to even, straight from double: going
/// through float would round twice.
constexpr std::uint16_t round_to_16_bits(double value, int fraction_bits, int min_exponent, int max_exponent) noexcept {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 48) & 0x8000u);
  const std::uint64_t fraction = bits & 0xfffffffffffffull;
  const int exponent = static_cast<int>((bits >> 52) & 0x7ffu) - 1023;
  const auto infinity = static_cast<std::uint16_t>((max_exponent - min_exponent + 2) << fraction_bits);
  if (exponent == 1024 && fraction != 0)  // NaN stays a quiet NaN
    return static_cast<std::uint16_t>(sign | infinity | (1u << (fraction_bits - 1)));
  if (exponent > max_exponent) return static_cast<std::uint16_t>(sign | infinity);
  // The unit of the last place: that of the smallest normal number for everything below it.
  const int unit = (exponent < min_exponent ? min_exponent : exponent) - fraction_bits;
  const int shift = unit - exponent + 52;
  if (shift > 54) return sign;  // below half of the smallest subnormal
  const std::uint64_t significand = fraction | (1ull << 52);
  std::uint64_t rounded = significand >> shift;
  const std::uint64_t rest = significand & ((1ull << shift) - 1);
  const std::uint64_t half = 1ull << (shift - 1);
  if (rest > half || (rest == half && (rounded & 1) != 0)) ++rounded;
  // A normal number's leading bit adds one to the exponent field, and so does a carry out of rounding.
  const std::uint64_t field = exponent < min_exponent ? 0 : static_cast<std::uint64_t>(exponent - min_exponent);
  return static_cast<std::uint16_t>(sign | ((field << fraction_bits) + rounded));
}

}  // namespace detail

constexpr float16 to_float16(double x) noexcept { return {detail::round_to_16_bits(x, 10, -14, 15)}; }
constexpr bfloat16 to_bfloat16(double x) noexcept { return {detail::round_to_16_bits(x, 7, -126, 127)}; }

}  // namespace attune
