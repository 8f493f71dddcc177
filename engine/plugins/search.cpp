#include "engine/plugins/search.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "engine/plugins/places.hpp"

namespace attune::detail {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = secure_getenv(name);
  return value != nullptr ? value : "";
}

/// Relative ones would mean the working directory.
PluginFolder named_folder(std::string_view path) {
  PluginFolder folder{std::string(path), "ATTUNE_PLUGIN_PATH", ""};
  if (path.empty() || path[0] != '/') folder.hindrance = "it is not absolute: the working directory is never searched";
  return folder;
}

void add_named_folders(std::vector<PluginFolder>& folders) {
  const std::string all = environment("ATTUNE_PLUGIN_PATH");
  for (std::string_view rest = all; !rest.empty();) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    folders.push_back(named_folder(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void add_user_folder(std::vector<PluginFolder>& folders) {
  const std::string data = environment("XDG_DATA_HOME");
  const std::string home = environment("HOME");
  if (!data.empty() && data[0] == '/') {
    folders.push_back({data + "/attune/plugins", "user", ""});
  } else if (!home.empty() && home[0] == '/') {
    folders.push_back({home + "/.local/share/attune/plugins", "user", ""});
  }
}

}  // namespace

std::vector<PluginFolder> plugin_folders() {
  std::vector<PluginFolder> folders;
  add_named_folders(folders);
  add_user_folder(folders);
  const std::string beside = folder_of_this_library() + "attune/plugins";
  folders.push_back({beside, "system", ""});
  if (beside != ATTUNE_INSTALLED_PLUGINS) folders.push_back({ATTUNE_INSTALLED_PLUGINS, "system", ""});
  return folders;
}

std::vector<FoundFile> plugins_in(PluginFolder& folder) {
  std::vector<FoundFile> files;
  if (!folder.hindrance.empty()) return files;
  std::error_code error;
  for (fs::directory_iterator entry(folder.path, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".so") files.push_back({entry->path().string(), folder.origin});
  }
  if (error) folder.hindrance = error.message();
  std::sort(files.begin(), files.end(), [](const FoundFile& a, const FoundFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace attune::detail
