#include "tests/plugins/plugin_home.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace attune::test {

namespace fs = std::filesystem;

PluginHome::PluginHome() {
  setenv("ATTUNE_PLUGIN_PROBE", ATTUNE_TEST_PROBE, 1);
  setenv("XDG_STATE_HOME", folder_.path("state").c_str(), 1);
  setenv("XDG_DATA_HOME", folder_.path("data").c_str(), 1);
  unsetenv("ATTUNE_PLUGIN_PATH");
  fs::create_directories(user_folder());
}

PluginHome::~PluginHome() {
  for (const char* name : {"ATTUNE_PLUGIN_PROBE", "XDG_STATE_HOME", "XDG_DATA_HOME", "ATTUNE_PLUGIN_PATH"})
    unsetenv(name);
}

std::string PluginHome::copy(const std::string& from, const std::string& to) const {
  const fs::path target = folder_.path(to);
  fs::create_directories(target.parent_path());
  fs::copy_file(from, target, fs::copy_options::overwrite_existing);
  fs::permissions(target, fs::perms::owner_all | fs::perms::group_read);
  return target.string();
}

Engine::Config plain_config() {
  Engine::Config config;
  config.executor = std::make_shared<InlineExecutor>();
  return config;
}

PluginFile load_one(Engine& engine, const std::string& path, std::chrono::milliseconds probe_limit) {
  const PluginReport report = engine.load_plugins({.files = {path}, .folders = false, .probe_limit = probe_limit});
  EXPECT_EQ(report.files.size(), 1u);
  for (const std::string& note : report.notes) ADD_FAILURE() << note;
  return report.files.empty() ? PluginFile{} : report.files.front();
}

std::string hostile_plugin(const std::string& fault) { return ATTUNE_HOSTILE_FOLDER "/hostile_" + fault + ".so"; }

std::shared_ptr<const Backend> find(const Engine& engine, const std::string& name) {
  for (const auto& backend : engine.backends()) {
    if (backend->name() == name) return backend;
  }
  return nullptr;
}

}  // namespace attune::test
