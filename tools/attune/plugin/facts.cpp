#include "tools/attune/plugin/facts.hpp"

#include <fmt/format.h>

#include "tools/attune/columns.hpp"

namespace attune::tool {

nlohmann::ordered_json facts_of(const PluginFile& file) {
  nlohmann::ordered_json facts{{"path", file.path}, {"origin", file.origin}, {"state", name(file.state)}};
  if (!file.backend.empty()) facts["backend"] = file.backend;
  if (!file.reason.empty()) facts["reason"] = file.reason;
  return facts;
}

nlohmann::ordered_json facts_of(const std::vector<PluginFile>& files) {
  auto facts = nlohmann::ordered_json::array();
  for (const PluginFile& file : files) facts.push_back(facts_of(file));
  return facts;
}

void print_plugins(const std::vector<PluginFile>& files) {
  const std::size_t width = column_width(files, &PluginFile::backend);
  for (const PluginFile& file : files) {
    fmt::print("{:<12} {:<{}} {} ({})\n", name(file.state), file.backend.empty() ? "-" : file.backend, width, file.path,
               file.origin);
    if (!file.reason.empty()) fmt::print("{:<12} {}\n", "", file.reason);
  }
}

}  // namespace attune::tool
