// The statistics of tuning.
#include "engine/tuning/series.hpp"

#include <gtest/gtest.h>

namespace attune::detail {
namespace {

Series of(std::initializer_list<double> samples) {
  Series series;
  for (const double sample : samples) series.add(sample);
  return series;
}

TEST(Median, OfOddEvenAndNone) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median({}), 0);
}

TEST(Series, OneDisturbedSampleMovesNothing) {
  const Series calm = of({1, 1, 1, 1, 1}), disturbed = of({1, 1, 100, 1, 1});
  EXPECT_EQ(disturbed.median(), calm.median());
  EXPECT_EQ(disturbed.spread(), calm.spread());
}

TEST(Series, SpreadIsTheMedianDistance) { EXPECT_EQ(of({1, 2, 3, 5, 9}).spread(), 2); }

TEST(Series, NoiseFallsWithTheRootOfTheSamples) {
  Series few, many;
  for (int i = 0; i < 4; ++i) few.add(i % 2 == 0 ? 1 : 2);
  for (int i = 0; i < 400; ++i) many.add(i % 2 == 0 ? 1 : 2);
  EXPECT_DOUBLE_EQ(few.noise(), 10 * many.noise());
}

TEST(Gain, NeedsMoreThanThreePercent) {
  EXPECT_FALSE(is_gain({}));
  EXPECT_FALSE(is_gain(of({0.98, 0.98, 0.98})));
  EXPECT_TRUE(is_gain(of({0.96, 0.96, 0.96})));
  EXPECT_FALSE(is_gain(of({2, 2, 2})));
}

TEST(Gain, NeedsMoreThanTheNoise) {
  const Series noisy = of({0.5, 0.7, 0.9, 1.1, 1.3});
  EXPECT_LT(noisy.median(), 0.95);
  EXPECT_FALSE(is_gain(noisy));
}

}  // namespace
}  // namespace attune::detail
