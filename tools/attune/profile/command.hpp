// The command `attune profile`.
#pragma once

#include <CLI/CLI.hpp>

namespace attune::tool {

void add_profile(CLI::App& program);

}  // namespace attune::tool
