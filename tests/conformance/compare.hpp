// Results against the oracle (within the tolerance), and against each other (bit by bit or within it).
#pragma once

#include <string_view>

#include "tests/conformance/array.hpp"
#include "tests/conformance/reference.hpp"
#include "tests/conformance/workload.hpp"

namespace attune::conformance {

/// What one run has written, in logical order; empty arrays for outputs that were not asked for.
struct Result {
  Array out, lse, weights;
};

/// Every row of `result` must lie within `allowance` tolerances of `expected`. Throws Failure showing the worst
/// element. Returns the largest error as a share of its tolerance.
double expect_close(const Workload& workload, const Reference& reference, const Result& expected, const Result& result,
                    double allowance = 1);

/// The oracle must agree with the suite's own evaluation to double precision, or no comparison means anything.
void expect_sound_oracle(const Workload& workload, const Reference& reference, const Result& oracle);

/// Throws Failure naming the first element whose bits differ (any NaN equals any NaN).
void expect_same_bits(const Result& expected, const Result& result, std::string_view what);

}  // namespace attune::conformance
