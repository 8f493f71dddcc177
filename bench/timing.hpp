// How the benches time a call.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace attune::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Seconds that one call of f takes: the mean over at least `at_least` seconds and one call. Looks at the clock ever
/// more rarely, so that calls of a microsecond are timed as well as long ones.
template <typename F>
double seconds_per_call(F&& f, double at_least) {
  const Clock::time_point start = Clock::now();
  std::int64_t calls = 0, batch = 1;
  for (;;) {
    for (std::int64_t i = 0; i < batch; ++i) f();
    calls += batch;
    const double elapsed = seconds_since(start);
    if (elapsed >= at_least) return elapsed / static_cast<double>(calls);
    const double left = (at_least / elapsed - 1) * static_cast<double>(calls);
    batch = left < static_cast<double>(calls) ? std::max<std::int64_t>(1, static_cast<std::int64_t>(left)) : calls;
  }
}

/// The element a fraction `at` of the way through the sorted values; 0.5 is the median. `values` is not empty.
inline double quantile(std::vector<double> values, double at) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(at * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

}  // namespace attune::bench
