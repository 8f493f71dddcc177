// What every implementation of linear attention has to pass. Cases are named, and run by ctest (attune_conformance
// --linear) and on deliberately broken implementations (tests/mutants).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/linear/linear_case.hpp"

namespace attune::test {

struct LinearConformanceCase {
  std::string name;                                         // "linear/what/parameters"
  std::function<std::string(const LinearFunction&)> fault;  // what is wrong with it, in words; empty: nothing
};

std::vector<LinearConformanceCase> linear_conformance_cases();

// Its parts, a file each.
void add_agreement_cases(std::vector<LinearConformanceCase>& cases);  // with the recurrence, within the tolerance
void add_law_cases(std::vector<LinearConformanceCase>& cases);        // mostly bit by bit

}  // namespace attune::test
