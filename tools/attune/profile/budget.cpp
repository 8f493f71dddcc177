#include "tools/attune/profile/budget.hpp"

#include <algorithm>
#include <cmath>

namespace attune::tool::profile {

double expected_seconds(const Curve& curve, Mode mode, std::int64_t length) {
  const Point* last = nullptr;
  const Point* before = nullptr;
  for (const Point& point : curve.points) {
    if (!point.measured()) continue;
    before = last;
    last = &point;
  }
  if (last == nullptr) return 0;
  double slope = mode == Mode::prefill ? 2 : 1;
  if (before != nullptr)
    slope = std::clamp(std::log(last->seconds / before->seconds) /
                           std::log(static_cast<double>(last->length) / static_cast<double>(before->length)),
                       0.0, 2.5);
  return last->seconds * std::pow(static_cast<double>(length) / static_cast<double>(last->length), slope);
}

double allowance(double seconds_left, std::span<const std::int64_t> lengths) {
  double sum = 0;
  for (const std::int64_t length : lengths) sum += static_cast<double>(length);
  return seconds_left * static_cast<double>(lengths.front()) / sum;
}

double most_for_a_point(double seconds_left, std::span<const std::int64_t> lengths) {
  return std::max(allowance(seconds_left, lengths) / 2, seconds_left / 10);
}

}  // namespace attune::tool::profile
