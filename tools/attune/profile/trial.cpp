#include "tools/attune/profile/trial.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <attune/peak.hpp>

#include "tools/attune/profile/budget.hpp"

namespace attune::tool::profile {
namespace {

constexpr double seconds_in_turn = 0.002;
constexpr std::size_t most_runs = 1000;

bool satisfied(const Trial& trial, double seconds_each) {
  if (trial.seconds.size() >= most_runs) return true;
  const std::size_t fewest = trial.typical() >= long_run ? 2 : 5;
  return trial.seconds.size() >= fewest && trial.total >= seconds_each;
}

/// The others have used the caches meanwhile: where that matters, the first run of a turn does not count.
void take_turn(Trial& trial) {
  double spent = 0;
  if (trial.typical() < seconds_in_turn) spent += time_of(trial.contestant);
  do {
    const double seconds = time_of(trial.contestant);
    trial.seconds.push_back(seconds);
    trial.total += seconds;
    spent += seconds;
  } while (spent < seconds_in_turn && trial.seconds.size() < most_runs);
}

/// The best of several short measurements: what disturbs one only ever makes it slower.
double highest_peak(Isa isa, Executor& executor, Product product) {
  constexpr int slices = 5;
  constexpr double slice_seconds = 0.006;
  double highest = 0;
  for (int i = 0; i < slices; ++i) highest = std::max(highest, measure_peak(isa, executor, product, slice_seconds));
  return highest;
}

/// By instruction set and number of threads.
using Peaks = std::map<std::pair<Isa, int>, double>;

Peaks peaks_of(const std::vector<Trial>& trials, const Yardstick& yardstick) {
  Peaks peaks;
  for (const Trial& trial : trials) {
    Executor& executor = *trial.contestant.executor;
    const std::pair key(trial.contestant.isa, executor.num_threads());
    if (peaks.contains(key)) continue;
    const Isa isa = key.first == Isa::generic ? yardstick.machine : key.first;
    const bool pairs = yardstick.bf16 && multiplies(isa, Product::bf16_pairs);
    peaks[key] = highest_peak(isa, executor, pairs ? Product::bf16_pairs : Product::f32);
  }
  return peaks;
}

double peak_in(const Peaks& peaks, const Trial& trial) {
  return peaks.at({trial.contestant.isa, trial.contestant.executor->num_threads()});
}

}  // namespace

void run_in_turn(std::vector<Trial>& trials, const Yardstick& yardstick, double seconds_each,
                 const std::function<bool()>& enough) {
  const Peaks before = peaks_of(trials, yardstick);
  for (bool busy = true; busy && !enough();) {
    busy = false;
    for (Trial& trial : trials) {
      if (satisfied(trial, seconds_each)) continue;
      take_turn(trial);
      busy = true;
    }
  }
  const Peaks after = peaks_of(trials, yardstick);
  for (Trial& trial : trials) {
    if (trial.seconds.empty()) take_turn(trial);
    const Timing timing = timing_of(trial.seconds);
    trial.point->seconds = timing.median;
    trial.point->spread = timing.spread;
    trial.point->runs = static_cast<int>(trial.seconds.size());
    trial.point->peak = std::max(peak_in(before, trial), peak_in(after, trial));
  }
}

}  // namespace attune::tool::profile
