// `attune demo`: attention on a real sentence, for a person to look at.
#pragma once

#include <CLI/CLI.hpp>

namespace attune::tool {

void add_demo(CLI::App& program);

}  // namespace attune::tool
