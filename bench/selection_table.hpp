// The problems over which the choice of a backend is judged.
#pragma once

#include <string>
#include <vector>

#include <attune/problem.hpp>

namespace attune::bench {

struct SelectionProblem {
  std::string name;
  Problem problem;
  Extents extents;
};

/// Encoders, prefill, decode, cross-attention, short and long, with options: where backends overtake each other.
std::vector<SelectionProblem> selection_problems();

}  // namespace attune::bench
