// `attune plugin quarantine`: the plugins that are not tried any more, and how they get another chance.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <attune/engine.hpp>
#include <nlohmann/json.hpp>

#include "tools/attune/json_text.hpp"
#include "tools/attune/plugin/facts.hpp"
#include "tools/attune/plugin/load.hpp"
#include "tools/attune/plugin/plugin.hpp"

namespace attune::tool {
namespace {

struct QuarantineFlags {
  bool clear = false;
  bool json = false;
  std::string file;
};

void show(bool json) {
  Engine engine;
  std::vector<PluginFile> quarantined;
  for (const PluginFile& file : load_plugins(engine).files) {
    if (file.state == PluginState::quarantined) quarantined.push_back(file);
  }
  if (json) {
    fmt::print("{}\n", json_text({{"quarantined", facts_of(quarantined)}}));
  } else if (quarantined.empty()) {
    fmt::print("no plugin is quarantined\n");
  } else {
    print_plugins(quarantined);
  }
}

void clear(const QuarantineFlags& flags) {
  std::error_code error;  // a file that is gone is named as it is
  const auto real = std::filesystem::weakly_canonical(flags.file, error);
  const std::size_t forgotten = forget_plugin_verdicts(flags.file.empty() || error ? flags.file : real.string());
  if (flags.json) {
    fmt::print("{}\n", json_text({{"forgotten", forgotten}}));
  } else {
    fmt::print("{} {} forgotten: tried again when next loaded\n", forgotten, forgotten == 1 ? "verdict" : "verdicts");
  }
}

}  // namespace

void add_plugin_quarantine(CLI::App& group) {
  auto flags = std::make_shared<QuarantineFlags>();
  CLI::App* command = group.add_subcommand("quarantine", "List the plugins that are not tried any more");
  CLI::Option* clear_flag = command->add_flag("--clear", flags->clear,
                                              "Forget what is known of all plugins, or of FILE: they are tried again");
  command->add_option("file", flags->file, "The only file to forget")->needs(clear_flag);
  command->add_flag("--json", flags->json, "Print the facts as JSON");
  command->footer(
      "Examples:\n  attune plugin quarantine\n  attune plugin quarantine --clear\n"
      "  attune plugin quarantine --clear ~/.local/share/attune/plugins/my_backend.so");
  command->callback([flags] {
    if (flags->clear) {
      clear(*flags);
    } else {
      show(flags->json);
    }
  });
}

}  // namespace attune::tool
