#include "engine/tuning/series.hpp"

#include <algorithm>
#include <cmath>

namespace attune::detail {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

double Series::smallest() const { return samples_.empty() ? 0 : *std::min_element(samples_.begin(), samples_.end()); }

double Series::spread() const {
  const double centre = median();
  std::vector<double> distances;
  for (const double sample : samples_) distances.push_back(std::abs(sample - centre));
  return detail::median(std::move(distances));
}

double Series::noise() const {
  if (samples_.empty()) return 0;
  // Of normal samples: MAD = 0.6745 σ, and the median's own standard error is 1.2533 σ / √n.
  constexpr double standard_error = 1.2533 / 0.6745;
  return 2 * standard_error * spread() / std::sqrt(static_cast<double>(samples_.size()));
}

bool is_gain(const Series& ratios) {
  const double gain = 1 - ratios.median();
  return ratios.size() > 0 && gain > least_gain && gain > ratios.noise();
}

}  // namespace attune::detail
