// The environment that plugins are loaded in, replaced by a test's own: no verdict of the user's, no plugin of the
// system's.
#pragma once

#include <string>

#include <attune/engine.hpp>

#include "tests/io/scratch_folder.hpp"

namespace attune::test {

/// While it lives, the probe is the one of this build, and state and data folders lie in a scratch folder.
class PluginHome {
 public:
  PluginHome();
  ~PluginHome();
  PluginHome(const PluginHome&) = delete;
  PluginHome& operator=(const PluginHome&) = delete;

  const ScratchFolder& folder() const noexcept { return folder_; }
  std::string user_folder() const { return folder_.path("data/attune/plugins"); }
  /// Copies a file into a folder of this home, which is made where it is missing.
  std::string copy(const std::string& from, const std::string& to) const;

 private:
  ScratchFolder folder_;
};

/// An engine that nothing in the environment configures.
Engine::Config plain_config();

/// Loads one file into the engine and nothing else. Long enough for a machine that is busy with other things.
PluginFile load_one(Engine& engine, const std::string& path,
                    std::chrono::milliseconds probe_limit = std::chrono::seconds(120));

/// The plugin with that fault; see hostile/faults.hpp.
std::string hostile_plugin(const std::string& fault);

/// The backend of that name; null where there is none.
std::shared_ptr<const Backend> find(const Engine& engine, const std::string& name);

}  // namespace attune::test
