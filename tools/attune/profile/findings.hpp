// What follows from a profile's points: exponents, crossovers, limits, and the sentence that says it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/attune/profile/profile.hpp"

namespace attune::tool::profile {

/// seconds ≈ factor · length^exponent, by least squares on logarithms.
struct Fit {
  double exponent = 0, factor = 0;
  std::optional<double> margin;  // of the exponent, 95 % confidence by Student's t; none: fewer than three points
  std::int64_t from = 0, to = 0;
  int points = 0;
};

struct Sample2D {
  double x, y;
};
/// None: fewer than two points at different x.
std::optional<Fit> fit_power(const std::vector<Sample2D>& points);

/// Over the measured points of the longest 16-fold range of lengths: below it, fixed costs and kinks of windows hide
/// what a long sequence will cost.
std::optional<Fit> fit_of(const Curve& curve);

/// From where on a curve is faster than another one, beyond their noise.
struct Crossover {
  const Curve* slower;  // from there on
  const Curve* faster;
  double length = 0;  // between two measured lengths, interpolated on logarithms
};
/// The relative difference of two medians that does not count: 3 %, or twice what the spreads of their runs make of it.
double noise_of(const Point& a, const Point& b);
bool clearly_faster(const Point& a, const Point& b);
std::vector<Crossover> crossovers(const Curve& a, const Curve& b);

/// The longest length within a limit of time or memory.
struct Reach {
  double length = 0;
  enum class Kind : std::uint8_t { interpolated, extrapolated, none } kind = Kind::none;  // none: not even the shortest
};
std::optional<Reach> reach_in_seconds(const Curve& curve, double limit);
std::optional<Reach> reach_in_bytes(const Curve& curve, double limit);

/// The curve of a variant that is fastest at the longest length that any of them was measured at; null: none was.
const Curve* best_of(const Profile& profile, const std::string& variant);
const Point* last_measured(const Curve& curve);

/// "n^1.98 ± 0.03"; "?" where two points are not to be had.
std::string exponent_text(const std::optional<Fit>& fit);

/// One sentence for people: how the time grows, and what the variants buy.
std::string headline(const Profile& profile);

/// The rest, a sentence each: crossovers, limits, what was left out.
std::vector<std::string> remarks(const Profile& profile);

}  // namespace attune::tool::profile
