#include "tools/attune/plugin/plugin.hpp"

namespace attune::tool {

void add_plugin(CLI::App& program) {
  CLI::App* group = program.add_subcommand("plugin", "Backends from shared libraries of their own");
  group->require_subcommand(1);
  group->footer(R"(Examples:
  attune plugin new my_backend            a backend of your own that works, to start from
  attune plugin check ./my_backend.so     whether it computes attention, case by case
  attune plugin list                      what became of every plugin, and why)");
  add_plugin_check(*group);
  add_plugin_list(*group);
  add_plugin_new(*group);
  add_plugin_quarantine(*group);
}

}  // namespace attune::tool
