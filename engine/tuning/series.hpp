// Samples of one variant's time.
#pragma once

#include <cstddef>
#include <vector>

namespace attune::detail {

/// The median of an even number of values is the mean of the two in the middle; of none, 0.
double median(std::vector<double> values);

class Series {
 public:
  void add(double seconds) { samples_.push_back(seconds); }

  std::size_t size() const noexcept { return samples_.size(); }
  double smallest() const;
  double median() const { return detail::median(samples_); }
  /// The median distance from the median (MAD): one disturbed sample does not move it.
  double spread() const;
  /// By how much the median itself may be off, in seconds: two standard errors, as the spread tells them.
  double noise() const;

 private:
  std::vector<double> samples_;
};

/// What a challenger must be faster by to take a place, however calm the machine.
inline constexpr double least_gain = 0.03;

/// `ratios`: of a challenger's time by the holder's. Is it faster, by more than 3 % and by more than what noise
/// explains?
bool is_gain(const Series& ratios);

}  // namespace attune::detail
