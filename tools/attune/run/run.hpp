// `attune run`: attention on tensors from files.
#pragma once

#include <CLI/CLI.hpp>

namespace attune::tool {

void add_run(CLI::App& program);

}  // namespace attune::tool
