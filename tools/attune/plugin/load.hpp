// Loading plugins without letting them speak for the program.
#pragma once

#include <attune/engine.hpp>

namespace attune::tool {

/// engine.load_plugins(), during which what is printed to standard output goes to standard error: a plugin that greets
/// its user must not stand in front of this program's JSON.
PluginReport load_plugins(Engine& engine, const PluginSearch& search = {});

}  // namespace attune::tool
