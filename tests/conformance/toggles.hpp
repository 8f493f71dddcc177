// Every option of AttentionOptions as one change to a Spec: what "each alone and all pairs" is made from.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/workload.hpp"

namespace attune::conformance {

struct Toggle {
  const char* name;
  const char* group;  // two toggles of one group exclude each other
  void (*apply)(Spec&);
};

const std::vector<Toggle>& toggles();

/// May both be asked for in one call?
bool compatible(const Toggle& a, const Toggle& b);

}  // namespace attune::conformance
