// The problems that `attune tune` is to tune.
#pragma once

#include <string>
#include <vector>

#include "tools/attune/problem/sketch.hpp"

namespace attune::tool {

/// "bert, gpt-prefill, …": the named sets.
std::string set_names();

/// Shapes of models that many run. Throws Error(invalid_argument) for an unknown name, listing those that there are.
std::vector<ProblemFlags> named_set(const std::string& name);

/// A JSON array of objects whose members are called as the flags of `attune explain`, without the dashes, and hold what
/// would be typed there (lists of numbers as text or as an array, switches as true or false):
///   [{"q": "1,12,512,64", "k": [1, 12, 512, 64], "causal": true, "window": "256,0"}]
/// Throws Error: io where the file cannot be read, invalid_argument for anything else in it.
std::vector<ProblemFlags> read_problems(const std::string& path);

}  // namespace attune::tool
