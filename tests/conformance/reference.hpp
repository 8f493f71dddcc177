// Attention by its definition, once more and by another hand than the oracle: the quantities that the tolerance is
// made of (A, Σ w|v|), and what the specification leaves open. Its own output checks the oracle.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/conformance/workload.hpp"

namespace attune::conformance {

struct RowReference {
  double amplitude = 0;       // A of tolerance.hpp
  double lse = 0;             // −inf for a row with nothing to attend to, NaN for a poisoned one
  std::int64_t attended = 0;  // keys with a score above −inf
  bool empty = false;         // no key (with a sink: lse is the sink)
  bool open = false;          // q·k leaves the f32 range: nothing is promised for this row
};

struct Reference {
  std::vector<RowReference> rows;  // in the order of lse
  std::vector<double> out;         // in the order of out
  std::vector<double> mass;        // Σ w|v| of each element of out
  std::vector<std::uint8_t> open;  // 1: nothing is promised for this element of out
  std::vector<double> weights;     // [B, H, Sq, Sk], only if the spec asks for weights
};

Reference evaluate(const Workload& workload);

}  // namespace attune::conformance
