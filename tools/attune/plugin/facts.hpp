// What became of plugins, in words and JSON.
#pragma once

#include <cstddef>
#include <vector>

#include <attune/plugins.hpp>
#include <nlohmann/json.hpp>

namespace attune::tool {

nlohmann::ordered_json facts_of(const PluginFile& file);
nlohmann::ordered_json facts_of(const std::vector<PluginFile>& files);

/// Of the column in which print_plugins() names backends.
std::size_t plugin_name_width(const std::vector<PluginFile>& files);

/// A line for each file, and below it the reason.
void print_plugins(const std::vector<PluginFile>& files);

}  // namespace attune::tool
