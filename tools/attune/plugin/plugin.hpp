// `attune plugin`: backends from shared libraries of their own.
#pragma once

#include <CLI/CLI.hpp>

namespace attune::tool {

void add_plugin(CLI::App& program);

// Its commands, each declared to the group.
void add_plugin_check(CLI::App& group);
void add_plugin_list(CLI::App& group);
void add_plugin_new(CLI::App& group);
void add_plugin_quarantine(CLI::App& group);

}  // namespace attune::tool
