// What `attune run` tells: for people, or as JSON.
#pragma once

#include <vector>

#include "tools/attune/run/execution.hpp"
#include "tools/attune/run/outputs.hpp"

namespace attune::tool {

void print_report(const Execution& execution, const std::vector<Output>& outputs);
void print_json_report(const Execution& execution, const std::vector<Output>& outputs);

}  // namespace attune::tool
