// What became of plugins, in words and JSON.
#pragma once

#include <vector>

#include <attune/plugins.hpp>
#include <nlohmann/json.hpp>

namespace attune::tool {

nlohmann::ordered_json facts_of(const PluginFile& file);
nlohmann::ordered_json facts_of(const std::vector<PluginFile>& files);

/// A line for each file, and below it the reason.
void print_plugins(const std::vector<PluginFile>& files);

}  // namespace attune::tool
