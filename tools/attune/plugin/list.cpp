// `attune plugin list`: what became of every plugin, and where they were looked for.
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <attune/engine.hpp>
#include <nlohmann/json.hpp>

#include "tools/attune/columns.hpp"
#include "tools/attune/json_text.hpp"
#include "tools/attune/plugin/facts.hpp"
#include "tools/attune/plugin/load.hpp"
#include "tools/attune/plugin/plugin.hpp"

namespace attune::tool {
namespace {

struct ListFlags {
  std::vector<std::string> files;
  bool json = false;
};

void print_text(const PluginReport& report) {
  fmt::print("{:<12} {:<{}} {}\n", "STATE", "BACKEND", column_width(report.files, &PluginFile::backend), "FILE (FROM)");
  print_plugins(report.files);
  if (report.files.empty()) fmt::print("no plugins\n");
  fmt::print("\nFolders, in the order of their precedence:\n");
  for (const PluginFolder& folder : report.folders) {
    fmt::print("  {} ({}){}\n", folder.path, folder.origin, folder.hindrance.empty() ? "" : ": " + folder.hindrance);
  }
  for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
}

void print_json(const PluginReport& report) {
  nlohmann::ordered_json facts{
      {"plugins", facts_of(report.files)}, {"folders", nlohmann::ordered_json::array()}, {"notes", report.notes}};
  for (const PluginFolder& folder : report.folders) {
    nlohmann::ordered_json entry{{"path", folder.path}, {"origin", folder.origin}};
    if (!folder.hindrance.empty()) entry["hindrance"] = folder.hindrance;
    facts["folders"].push_back(std::move(entry));
  }
  fmt::print("{}\n", json_text(facts));
}

void list(const ListFlags& flags) {
  Engine engine;
  const PluginReport report = load_plugins(engine, {.files = flags.files});
  const auto print = flags.json ? print_json : print_text;
  print(report);
}

}  // namespace

void add_plugin_list(CLI::App& group) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App* command = group.add_subcommand("list", "Load every plugin, and say what became of it and why");
  command->add_option("file", flags->files, "Files to load before those of the folders; tried again whatever is known");
  command->add_flag("--json", flags->json, "Print the facts as JSON");
  command->footer(
      "A new file is first tried in a process of its own. One that crashes there is quarantined: not tried again "
      "until\n"
      "it changes, is named here, or `attune plugin quarantine --clear` forgets it.\n\n"
      "Examples:\n  attune plugin list\n  attune plugin list ./build/my_backend.so\n"
      "  ATTUNE_PLUGIN_PATH=/opt/attune/plugins attune plugin list --json");
  command->callback([flags] { list(*flags); });
}

}  // namespace attune::tool
