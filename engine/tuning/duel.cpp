#include "engine/tuning/duel.hpp"

#include <cmath>

namespace attune::detail {
namespace {

/// A long sample averages out by itself what would disturb a short one.
constexpr double long_sample = 0.03;
int fewest_pairs(const Series& pairs_seconds) { return pairs_seconds.median() > 2 * long_sample ? 3 : 6; }

/// Would more pairs hardly change the verdict?
bool is_clear(const Series& ratios) { return std::abs(1 - least_gain - ratios.median()) > 1.5 * ratios.noise(); }

}  // namespace

Duel duel(Runner& challenger, Runner& holder, Budget& budget, int most_pairs) {
  Duel result;
  Series seconds;
  for (int pair = 0; pair < most_pairs; ++pair) {
    if (!budget.goes_on(to_text(challenger.candidate().variant()))) break;
    // Each goes first in every other pair.
    const double before = pair % 2 == 0 ? holder.timed() : 0;
    const double own = challenger.timed();
    const double other = pair % 2 == 0 ? before : holder.timed();
    result.ratios.add(own / other);
    seconds.add(own + other);
    result.enough = pair + 1 >= fewest_pairs(seconds);
    if (result.enough && is_clear(result.ratios)) break;
  }
  return result;
}

}  // namespace attune::detail
