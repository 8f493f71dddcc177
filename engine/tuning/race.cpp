#include "engine/tuning/race.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>

namespace attune::detail {
namespace {

std::string slower(double ratio) {
  char text[48];
  if (ratio < 2) {
    std::snprintf(text, sizeof text, "%.0f %% slower", 100 * (ratio - 1));
  } else {
    std::snprintf(text, sizeof text, "%.3g times slower", ratio);
  }
  return text;
}

const Runner& fastest(const std::vector<Runner*>& runners) {
  return **std::min_element(runners.begin(), runners.end(),
                            [](const Runner* a, const Runner* b) { return a->series.median() < b->series.median(); });
}

/// What disturbs a sample only ever makes it longer. So the smallest ones are compared, and the more there are, the
/// less it takes to be out.
bool is_out(const Runner& runner, const Runner& best) {
  const std::size_t samples = std::min(runner.series.size(), best.series.size());
  if (samples < 2) return false;
  const double allowed = samples < 3 ? 1.6 : samples < 5 ? 1.25 : 1.08;
  return runner.series.smallest() > allowed * best.series.smallest() &&
         runner.series.median() > allowed * best.series.median();
}

/// Are all as good as equal, or clearly apart? Then more samples would change nothing.
bool is_clear(const std::vector<Runner*>& runners) {
  const Runner& best = fastest(runners);
  return std::all_of(runners.begin(), runners.end(), [&](const Runner* runner) {
    if (runner == &best) return true;
    const double difference = std::abs(runner->series.median() - best.series.median());
    const double noise = std::hypot(runner->series.noise(), best.series.noise());
    return std::abs(difference - least_gain * runner->series.median()) > 2 * noise;
  });
}

}  // namespace

bool race(std::vector<Runner*> runners, Budget& budget, int most_rounds) {
  std::minstd_rand order(1);
  for (int round = 0; round < most_rounds && !runners.empty(); ++round) {
    // In another order each time: what one leaves in the caches, or heats up, another pays for.
    std::shuffle(runners.begin(), runners.end(), order);
    for (Runner* runner : runners) {
      if (!budget.goes_on(to_text(runner->candidate().variant()))) return round >= fewest_rounds;
      runner->sample();
    }
    std::erase_if(runners, [](const Runner* runner) { return !runner->out.empty(); });
    if (runners.empty()) break;
    const Runner& best = fastest(runners);
    std::erase_if(runners, [&](Runner* runner) {
      if (runner == &best || !is_out(*runner, best)) return false;
      runner->out = slower(runner->series.median() / best.series.median());
      return true;
    });
    if (round + 1 >= fewest_rounds && (runners.size() == 1 || (round >= 4 && is_clear(runners)))) return true;
  }
  return true;
}

}  // namespace attune::detail
