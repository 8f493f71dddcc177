// The folders that plugins are looked for in, and the files in them.
#pragma once

#include <string>
#include <vector>

#include <attune/plugins.hpp>

namespace attune::detail {

struct FoundFile {
  std::string path;
  std::string origin;
};

/// The folders in the order of their precedence.
std::vector<PluginFolder> plugin_folders();

/// The *.so of a folder in alphabetical order; sets its hindrance where it cannot be searched.
std::vector<FoundFile> plugins_in(PluginFolder& folder);

}  // namespace attune::detail
