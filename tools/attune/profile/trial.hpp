// One point while it is measured.
#pragma once

#include <functional>
#include <vector>

#include "tools/attune/profile/contestant.hpp"
#include "tools/attune/profile/profile.hpp"

namespace attune::tool::profile {

struct Trial {
  Point* point = nullptr;
  Contestant contestant;
  std::vector<double> seconds{};  // of the runs that count
  double total = 0;               // their sum

  double typical() const { return seconds.empty() ? 0 : total / static_cast<double>(seconds.size()); }
};

/// What a share of peak is a share of.
struct Yardstick {
  Isa machine = Isa::generic;  // for what has no instruction set of its own
  bool bf16 = false;           // the tensors are: products of bf16 pairs count, where there are any
};

/// Runs the trials in turn, a few milliseconds each, so that what disturbs one disturbs all, until each has had its
/// seconds and enough runs, or `enough()` says that there is no more time. Writes what came out into the points, with
/// the machine's peak.
void run_in_turn(std::vector<Trial>& trials, const Yardstick& yardstick, double seconds_each,
                 const std::function<bool()>& enough);

}  // namespace attune::tool::profile
