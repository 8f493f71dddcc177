// From a search to loaded backends, with what became of every file.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <attune/backend.hpp>
#include <attune/plugins.hpp>

#include "engine/plugins/verdicts.hpp"

namespace attune::detail {

/// The plugins of one engine. Not thread-safe.
class Loader {
 public:
  /// Takes a backend; answers why not, or nothing.
  using Add = std::function<std::string(std::shared_ptr<const Backend>)>;

  PluginReport load(const PluginSearch& search, const Machine& machine, const Add& add);

  /// Every file that was ever tried, with the latest that is known of it.
  const std::vector<PluginFile>& files() const noexcept { return files_; }

 private:
  struct Attempt;
  PluginFile load_file(const std::string& path, const std::string& origin, const Attempt& attempt);
  void remember(const PluginFile& file);

  struct Loaded {
    FileIdentity identity;
    PluginFile file;
  };

  std::vector<PluginFile> files_;
  std::vector<Loaded> loaded_;  // for good, whatever has become of the files since
};

}  // namespace attune::detail
