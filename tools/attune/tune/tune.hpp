// `attune tune`: measures which variant is the fastest, and remembers it.
#pragma once

#include <CLI/CLI.hpp>

namespace attune::tool {

void add_tune(CLI::App& program);

/// `attune wisdom show|clear|export|import`: what is remembered.
void add_wisdom(CLI::App& program);

}  // namespace attune::tool
