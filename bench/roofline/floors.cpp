#include "bench/roofline/floors.hpp"

namespace attune::bench {

double floor_of(const Result& result, std::size_t index) {
  return result.readings[index].threads == 1 ? result.row.floors.one : result.row.floors.all;
}

Tally tally(const Result& result) {
  Tally found;
  for (std::size_t i = 0; i < result.readings.size(); ++i) {
    const double floor = floor_of(result, i), share = result.readings[i].share;
    if (floor == 0) continue;
    ++found.set;
    if (result.row.limit == Limit::dispatch ? share > floor : share < floor - spread) ++found.missed;
  }
  if (result.scaling != 0 && result.row.floors.scaling != 0) {
    ++found.set;
    if (result.scaling < result.row.floors.scaling - spread) ++found.missed;
  }
  return found;
}

}  // namespace attune::bench
