// float16 and bfloat16 against a slow definition: the value of the bits by ldexp, and the nearest of all values.
#include <gtest/gtest.h>

#include <attune/dtype.hpp>

#include <cmath>
#include <cstdint>
#include <limits>

namespace attune {
namespace {

struct Format {
  int fraction_bits;
  int min_exponent;
  int exponent_bits() const { return 15 - fraction_bits; }
};
constexpr Format half{10, -14};
constexpr Format brain{7, -126};

/// What the bits of a 16-bit float mean, by the definition of IEEE 754.
double value_of(Format format, std::uint32_t bits) {
  const double sign = (bits & 0x8000u) != 0 ? -1 : 1;
  const auto fraction = static_cast<int>(bits & ((1u << format.fraction_bits) - 1));
  const auto field = static_cast<int>((bits & 0x7fffu) >> format.fraction_bits);
  const int highest_field = (1 << format.exponent_bits()) - 1;
  if (field == highest_field) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  const int unit = format.min_exponent - format.fraction_bits;
  if (field == 0) return sign * std::ldexp(fraction, unit);
  return sign * std::ldexp(fraction + (1 << format.fraction_bits), unit + field - 1);
}

double widen(float16 x) { return static_cast<double>(to_float(x)); }
double widen(bfloat16 x) { return static_cast<double>(to_float(x)); }

template <typename Half>
void expect_every_value(Format format) {
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const double expected = value_of(format, bits);
    const double actual = widen(Half{static_cast<std::uint16_t>(bits)});
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(actual)) << bits;
    } else {
      ASSERT_EQ(actual, expected) << bits;
      ASSERT_EQ(std::signbit(actual), std::signbit(expected)) << bits;
    }
  }
}

TEST(HalfFloat, EveryFloat16WidensExactly) { expect_every_value<float16>(half); }
TEST(HalfFloat, EveryBfloat16WidensExactly) { expect_every_value<bfloat16>(brain); }

/// Between every two neighbours: what is nearer wins, and at the middle the even one.
template <typename Round>
void expect_nearest(Format format, Round round) {
  const std::uint32_t infinity = ((1u << format.exponent_bits()) - 1) << format.fraction_bits;
  for (std::uint32_t bits = 0; bits + 1 < infinity; ++bits) {
    const double below = value_of(format, bits);
    const double above = value_of(format, bits + 1);
    const double middle = (below + above) / 2;  // exact: doubles have bits to spare
    const std::uint32_t even = (bits & 1u) == 0 ? bits : bits + 1;
    ASSERT_EQ(round(below), bits);
    ASSERT_EQ(round(middle), even);
    ASSERT_EQ(round(std::nextafter(middle, 0.0)), bits);
    ASSERT_EQ(round(std::nextafter(middle, above)), bits + 1);
    ASSERT_EQ(round(-middle), even | 0x8000u);
  }
}

TEST(HalfFloat, RoundsToTheNearestFloat16) {
  expect_nearest(half, [](double x) { return to_float16(x).bits; });
}
TEST(HalfFloat, RoundsToTheNearestBfloat16) {
  expect_nearest(brain, [](double x) { return to_bfloat16(x).bits; });
}

TEST(HalfFloat, OverflowsToInfinityFromTheMiddleOn) {
  EXPECT_EQ(to_float16(65504).bits, 0x7bffu);
  EXPECT_EQ(to_float16(std::nextafter(65520.0, 0.0)).bits, 0x7bffu);
  EXPECT_EQ(to_float16(65520).bits, 0x7c00u);
  EXPECT_EQ(to_float16(-1e300).bits, 0xfc00u);
  EXPECT_EQ(to_bfloat16(std::numeric_limits<double>::max()).bits, 0x7f80u);
  EXPECT_EQ(to_bfloat16(-std::numeric_limits<double>::infinity()).bits, 0xff80u);
}

TEST(HalfFloat, KeepsNaNAndSignedZero) {
  EXPECT_TRUE(std::isnan(to_float(to_float16(std::numeric_limits<double>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(to_float(to_bfloat16(std::numeric_limits<double>::quiet_NaN()))));
  EXPECT_EQ(to_float16(-0.0).bits, 0x8000u);
  EXPECT_EQ(to_bfloat16(-0.0).bits, 0x8000u);
  EXPECT_EQ(to_float16(-1e-300).bits, 0x8000u);
}

TEST(HalfFloat, RoundsOnceAndNotThroughFloat) {
  // 1 + 2⁻¹¹ + 2⁻⁴⁰ lies above the middle of two float16; rounded to float first it would be the middle itself.
  const double x = 1 + std::ldexp(1, -11) + std::ldexp(1, -40);
  EXPECT_EQ(to_float16(x).bits, 0x3c01u);
  EXPECT_EQ(to_float16(static_cast<double>(static_cast<float>(x))).bits, 0x3c00u);
}

}  // namespace
}  // namespace attune
