// Two candidates measured right after each other, again and again: is one of them faster?
#pragma once

#include "engine/tuning/budget.hpp"
#include "engine/tuning/runner.hpp"

namespace attune::detail {

struct Duel {
  Series ratios;        // of each pair of samples: the challenger's time by the holder's
  bool enough = false;  // pairs for a verdict
  bool won() const { return enough && is_gain(ratios); }
};

/// What changes slowly (other processes, clock rates) meets both halves of a pair, and leaves their ratio alone. Ends
/// when the verdict is clear, after `most_pairs`, or with the budget.
Duel duel(Runner& challenger, Runner& holder, Budget& budget, int most_pairs);

}  // namespace attune::detail
