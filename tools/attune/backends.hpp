// `attune backends`: what there is to compute with, and what of it works here.
#pragma once

#include <CLI/CLI.hpp>

namespace attune::tool {

void add_backends(CLI::App& program);

}  // namespace attune::tool
