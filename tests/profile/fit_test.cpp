// Curves whose exponents, crossovers and limits are known: what is computed may be off by rounding alone (1e-9).
#include <gtest/gtest.h>

#include <cmath>

#include "tools/attune/profile/compare.hpp"
#include "tools/attune/profile/findings.hpp"

namespace attune::tool::profile {
namespace {

constexpr double rounding = 1e-9;

/// seconds(n) at 128, 256 … 16384.
template <typename F>
Curve curve_of(const std::string& backend, F seconds, double spread = 0) {
  Curve curve{"full", backend, "sse2", 1, {}};
  for (std::int64_t n = 128; n <= 16384; n *= 2) {
    Point point;
    point.length = n;
    point.seconds = seconds(static_cast<double>(n));
    point.spread = spread;
    point.peak_bytes = 1000 * static_cast<double>(n);
    curve.points.push_back(point);
  }
  return curve;
}

TEST(Fit, IsExactOnAPowerLaw) {
  for (const double exponent : {0.0, 1.0, 1.5, 2.0}) {
    const auto fit = fit_of(curve_of("a", [&](double n) { return 3e-9 * std::pow(n, exponent); }));
    ASSERT_TRUE(fit && fit->margin);
    EXPECT_NEAR(fit->exponent, exponent, rounding);
    EXPECT_NEAR(fit->factor, 3e-9, 3e-9 * 1e-6);
    EXPECT_NEAR(*fit->margin, 0, 1e-6);
    EXPECT_EQ(fit->from, 1024) << "the longest 16-fold range";
    EXPECT_EQ(fit->to, 16384);
    EXPECT_EQ(fit->points, 5);
  }
}

TEST(Fit, TheMarginCoversWhatNoiseHides) {
  // Residuals ±ln 1.1 in turn around n²: by hand, σ² = 5 · ln²1.1 · (1 − 1/25) / 3 and Σ(x − x̄)² = 10 · ln²2; the slope
  // stays 2 by symmetry.
  const auto fit = fit_of(
      curve_of("a", [](double n) { return n * n * 1e-9 * (std::lround(std::log2(n)) % 2 == 0 ? 1.1 : 1 / 1.1); }));
  ASSERT_TRUE(fit && fit->margin);
  EXPECT_NEAR(fit->exponent, 2, rounding);
  const double variance = 5 * std::pow(std::log(1.1), 2) * (1 - 1.0 / 25) / 3;
  EXPECT_NEAR(*fit->margin, 3.182 * std::sqrt(variance / (10 * std::pow(std::log(2), 2))), 1e-6);
}

TEST(Fit, NeedsTwoPointsAndForAMarginThree) {
  EXPECT_FALSE(fit_power({}));
  EXPECT_FALSE(fit_power({{128, 1}}));
  EXPECT_FALSE(fit_power({{128, 1}, {128, 2}}));
  const auto two = fit_power({{128, 1}, {256, 2}});
  ASSERT_TRUE(two);
  EXPECT_NEAR(two->exponent, 1, rounding);
  EXPECT_FALSE(two->margin);
}

TEST(Fit, LeavesOutWhatWasNotMeasured) {
  Curve curve = curve_of("a", [](double n) { return 1e-9 * n * n; });
  curve.points.back().gap = Gap::time;
  curve.points.back().seconds = 0;
  EXPECT_EQ(fit_of(curve)->to, 8192);
  EXPECT_NEAR(fit_of(curve)->exponent, 2, rounding);
}

TEST(Crossover, LiesWhereTheCurvesMeet) {
  const Curve line = curve_of("line", [](double n) { return 1e-6 * n; });
  const Curve square = curve_of("square", [](double n) { return 1e-9 * n * n; });
  for (const auto& found : {crossovers(line, square), crossovers(square, line)}) {
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].faster->backend, "line");
    EXPECT_EQ(found[0].slower->backend, "square");
    EXPECT_NEAR(found[0].length, 1000, 1000 * rounding);
  }
}

TEST(Crossover, IsNotFoundInNoise) {
  const auto wave = [](double by) {
    return [by](double n) { return 1e-9 * n * n * (std::lround(std::log2(n)) % 2 == 0 ? 1 + by : 1); };
  };
  const Curve plain = curve_of("plain", wave(0));
  EXPECT_TRUE(crossovers(plain, curve_of("wave", wave(0.02))).empty()) << "2 % is within 3 %";
  const auto swing = [](double n) { return 1e-9 * n * n * (std::lround(std::log2(n)) % 2 == 0 ? 1.2 : 0.8); };
  EXPECT_TRUE(crossovers(plain, curve_of("swing", swing, 0.2)).empty()) << "the spread hides 20 %";
  EXPECT_EQ(crossovers(plain, curve_of("swing", swing, 0.001)).size(), 7u) << "and without spread it does not";
}

TEST(Crossover, OneThatIsAlwaysAheadHasNone) {
  const Curve a = curve_of("a", [](double n) { return 1e-9 * n; });
  EXPECT_TRUE(crossovers(a, curve_of("b", [](double n) { return 2e-9 * n; })).empty());
}

TEST(Reach, IsFoundBetweenPointsAndBeyondThem) {
  const Curve square = curve_of("a", [](double n) { return 1e-9 * n * n; });
  const auto within = reach_in_seconds(square, 1e-2);
  ASSERT_TRUE(within);
  EXPECT_EQ(within->kind, Reach::Kind::interpolated);
  EXPECT_NEAR(within->length, std::sqrt(1e7), 1e-6);
  const auto beyond = reach_in_seconds(square, 1);
  ASSERT_TRUE(beyond);
  EXPECT_EQ(beyond->kind, Reach::Kind::extrapolated);
  EXPECT_NEAR(beyond->length, std::sqrt(1e9), 1e-3);
  EXPECT_EQ(reach_in_seconds(square, 1e-9)->kind, Reach::Kind::none);
  EXPECT_NEAR(reach_in_bytes(square, 1e6)->length, 1000, 1e-6);
  EXPECT_FALSE(reach_in_seconds(curve_of("flat", [](double) { return 1e-3; }), 1)) << "it never gets there";
}

TEST(Findings, WithoutAPointSayNothingCouldBeMeasured) {
  EXPECT_EQ(headline(Profile{}), "Nothing could be measured.");
  EXPECT_TRUE(remarks(Profile{}).empty());
}

Profile profile_of(const Curve& curve) {
  Profile profile;
  profile.variants = {"full"};
  profile.curves = {curve};
  return profile;
}

TEST(Compare, JudgesBeyondNoiseOnly) {
  const auto verdict = [](double factor, double spread) {
    const auto square = [](double n) { return 1e-9 * n * n; };
    const Comparison comparison =
        compare(profile_of(curve_of("a", square, spread)),
                profile_of(curve_of("a", [&](double n) { return factor * square(n); }, spread)));
    EXPECT_EQ(comparison.changes.size(), 8u);
    EXPECT_TRUE(comparison.doubts.empty());
    return comparison.changes.front().verdict;
  };
  EXPECT_EQ(verdict(1, 0), Verdict::same);
  EXPECT_EQ(verdict(1.02, 0), Verdict::same);
  EXPECT_EQ(verdict(1 / 1.02, 0), Verdict::same);
  EXPECT_EQ(verdict(1.05, 0), Verdict::slower);
  EXPECT_EQ(verdict(1 / 1.05, 0), Verdict::faster);
  EXPECT_EQ(verdict(1.05, 0.05), Verdict::same);
  EXPECT_EQ(verdict(0.5, 0.05), Verdict::faster);
}

TEST(Compare, SaysWhyTwoProfilesMayNotBeComparable) {
  Profile before = profile_of(curve_of("a", [](double n) { return n; }));
  Profile after = before;
  for (Point& point : before.curves[0].points) point.peak = 1e11;
  for (Point& point : after.curves[0].points) point.peak = 0.8e11;
  after.setting.cpu = "another";
  after.setting.head_dim = 128;
  const Comparison comparison = compare(before, after);
  ASSERT_EQ(comparison.doubts.size(), 3u);
  EXPECT_NE(comparison.doubts[2].find("0.80"), std::string::npos) << comparison.doubts[2];
  after.curves[0].backend = "b";
  EXPECT_TRUE(compare(before, after).changes.empty());
}

}  // namespace
}  // namespace attune::tool::profile
