// Whether a result reaches what was set for it.
#pragma once

#include <cstddef>

#include "bench/roofline/measure.hpp"

namespace attune::bench {

/// Two runs of the same program differ by about a point.
inline constexpr double spread = 0.01;

/// The floor of the reading at `index`; 0 where none is set. Of Limit::dispatch it is a ceiling.
double floor_of(const Result& result, std::size_t index);

/// Floors of a result: how many are set, and how many of them are missed.
struct Tally {
  int set = 0, missed = 0;
};
Tally tally(const Result& result);

}  // namespace attune::bench
