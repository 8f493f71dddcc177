// `attune explain`: what would compute a problem, and why.
#pragma once

#include <CLI/CLI.hpp>

namespace attune::tool {

void add_explain(CLI::App& program);

}  // namespace attune::tool
