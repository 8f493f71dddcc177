#include "tools/attune/profile/budget.hpp"

#include <gtest/gtest.h>

#include <array>

namespace attune::tool::profile {
namespace {

Curve measured(std::initializer_list<std::pair<std::int64_t, double>> points) {
  Curve curve;
  for (const auto& [length, seconds] : points) {
    Point point;
    point.length = length;
    point.seconds = seconds;
    curve.points.push_back(point);
  }
  return curve;
}

TEST(Budget, ExpectsAlongTheLastTwoPoints) {
  EXPECT_EQ(expected_seconds(Curve{}, Mode::prefill, 100), 0);
  EXPECT_DOUBLE_EQ(expected_seconds(measured({{100, 1}}), Mode::prefill, 200), 4);
  EXPECT_DOUBLE_EQ(expected_seconds(measured({{100, 1}}), Mode::decode, 200), 2);
  EXPECT_NEAR(expected_seconds(measured({{50, 9}, {100, 1}, {200, 2}}), Mode::prefill, 800), 8, 1e-12);
  EXPECT_NEAR(expected_seconds(measured({{100, 2}, {200, 1}}), Mode::prefill, 400), 1, 1e-12) << "never shrinks";
}

TEST(Budget, WhatWasNotMeasuredSaysNothing) {
  Curve curve = measured({{100, 1}, {200, 4}, {400, 0}});
  curve.points.back().gap = Gap::time;
  EXPECT_NEAR(expected_seconds(curve, Mode::prefill, 400), 16, 1e-12);
}

TEST(Budget, LongLengthsGetMore) {
  const std::array<std::int64_t, 3> lengths{100, 200, 100};
  EXPECT_DOUBLE_EQ(allowance(8, lengths), 2);
  EXPECT_DOUBLE_EQ(allowance(8, std::span(lengths).subspan(2)), 8) << "the last one gets what is left";
  EXPECT_DOUBLE_EQ(most_for_a_point(8, lengths), 1);
  EXPECT_DOUBLE_EQ(most_for_a_point(8, std::span(lengths).subspan(2)), 4);
}

TEST(Budget, LongRunsAreFew) {
  EXPECT_DOUBLE_EQ(cost_of(1), 2);
  EXPECT_DOUBLE_EQ(cost_of(0.1), 0.6);
}

}  // namespace
}  // namespace attune::tool::profile
