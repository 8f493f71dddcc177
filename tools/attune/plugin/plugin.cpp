#include "tools/attune/plugin/plugin.hpp"

namespace attune::tool {

void add_plugin(CLI::App& program) {
  CLI::App* group = program.add_subcommand("plugin", "Backends from shared libraries of their own");
  group->require_subcommand(1);
  add_plugin_check(*group);
  add_plugin_list(*group);
  add_plugin_new(*group);
  add_plugin_quarantine(*group);
}

}  // namespace attune::tool
