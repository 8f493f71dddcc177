// How long a point may take, and how long it will: the rules that share --seconds between the points.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tools/attune/profile/profile.hpp"

namespace attune::tool::profile {

/// Runs longer than this are rare and warm enough to count the first one.
inline constexpr double long_run = 0.5;

/// Seconds that the runs of a point take at least: two long ones, or a warm-up and five short ones.
constexpr double cost_of(double seconds_of_run) { return seconds_of_run * (seconds_of_run >= long_run ? 2 : 6); }

/// Seconds of one run at `length` by the curve's measured points: along the slope of the last two, or from one alone
/// along the count of operations (n² in prefill, n otherwise). 0: there is none.
double expected_seconds(const Curve& curve, Mode mode, std::int64_t length);

/// Of the seconds left, the share of the first of `lengths`: they count by their length.
double allowance(double seconds_left, std::span<const std::int64_t> lengths);

/// One point may take half of its length's share, or a tenth of all that is left.
double most_for_a_point(double seconds_left, std::span<const std::int64_t> lengths);

}  // namespace attune::tool::profile
