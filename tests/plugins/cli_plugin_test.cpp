// `attune plugin list`, `attune plugin quarantine`, and plugins in `attune backends` and `attune run`.
#include <gtest/gtest.h>

#include <set>

#include "tests/cli/sample.hpp"
#include "tests/plugins/plugin_home.hpp"

namespace attune::test {
namespace {

/// Three plugins in a folder that ATTUNE_PLUGIN_PATH names: one that works, one refused, one quarantined.
class PluginProgram : public testing::Test {
 protected:
  PluginProgram() {
    home.copy(hostile_plugin("none"), "named/good.so");
    home.copy(hostile_plugin("null_execute"), "named/refused.so");
    home.copy(hostile_plugin("aborts_at_load"), "named/crashes.so");
  }

  Outcome attune(const Words& words) const {
    return run_attune(words, {"ATTUNE_PLUGIN_PATH=" + home.folder().path("named")});
  }
  nlohmann::json plugin(const std::string& name, const nlohmann::json& facts) const {
    for (const auto& file : facts["plugins"]) {
      if (file["path"] == home.folder().path("named/" + name)) return file;
    }
    ADD_FAILURE() << name << " is not in " << facts;
    return {};
  }

  const PluginHome home;
};

TEST_F(PluginProgram, ListsWhatBecameOfEachWithTheReason) {
  const nlohmann::json facts = attune({"plugin", "list", "--json"}).json();
  EXPECT_EQ(plugin("good.so", facts)["state"], "loaded");
  EXPECT_EQ(plugin("good.so", facts)["backend"], "none");
  EXPECT_EQ(plugin("good.so", facts)["origin"], "ATTUNE_PLUGIN_PATH");
  EXPECT_EQ(plugin("refused.so", facts)["state"], "refused");
  EXPECT_EQ(plugin("refused.so", facts)["reason"], "its function execute is null");
  EXPECT_EQ(plugin("crashes.so", facts)["state"], "quarantined");
  const Outcome text = attune({"plugin", "list"});
  EXPECT_EQ(text.status, 0);
  for (const auto& file : facts["plugins"]) {
    EXPECT_NE(text.out.find(file["path"].get<std::string>()), std::string::npos) << text.out;
    EXPECT_NE(text.out.find(file.value("reason", "")), std::string::npos) << text.out;
  }
  for (const auto& folder : facts["folders"]) {
    EXPECT_NE(text.out.find(folder["path"].get<std::string>()), std::string::npos) << text.out;
  }
}

TEST_F(PluginProgram, ListsAFileThatIsNamed) {
  const Outcome outcome = attune({"plugin", "list", "--json", hostile_plugin("claims_nothing"), "/nowhere.so"});
  const nlohmann::json facts = outcome.json();
  EXPECT_EQ(facts["plugins"][0]["backend"], "claims_nothing");
  EXPECT_EQ(facts["plugins"][0]["origin"], "given");
  EXPECT_EQ(facts["plugins"][1]["state"], "refused");
}

TEST_F(PluginProgram, LongNamesWidenTheirColumn) {
  const std::string out = attune({"plugin", "list", hostile_plugin("claims_nothing")}).out;
  const std::size_t header = out.find("FILE"), row = out.find("claims_nothing");
  const std::size_t row_begin = out.rfind('\n', row) + 1;
  EXPECT_EQ(header, out.find('/', row) - row_begin) << out;
}

TEST_F(PluginProgram, ListsAndClearsTheQuarantine) {
  EXPECT_NE(attune({"plugin", "quarantine"}).out.find("crashes.so"), std::string::npos);
  EXPECT_EQ(attune({"plugin", "quarantine", "--json"}).json()["quarantined"].size(), 1u);
  const std::string path = home.folder().path("named/crashes.so");
  EXPECT_EQ(attune({"plugin", "quarantine", "--clear", path, "--json"}).json()["forgotten"], 1);
  EXPECT_EQ(attune({"plugin", "quarantine", "--clear", path, "--json"}).json()["forgotten"], 0);
  EXPECT_NE(attune({"plugin", "quarantine", "--clear"}).out.find("2 verdicts forgotten"), std::string::npos);
  EXPECT_EQ(attune({"plugin", "quarantine", path}).status, 2);  // a file without --clear
}

TEST_F(PluginProgram, BackendsShowsThemAll) {
  const Outcome text = attune({"backends"});
  for (const char* words : {"none", "a test's plugin", "good.so", "refused.so", "execute is null", "quarantined"}) {
    EXPECT_NE(text.out.find(words), std::string::npos) << words << " in\n" << text.out;
  }
  const nlohmann::json facts = attune({"backends", "--json"}).json();
  EXPECT_EQ(facts["backends"].back()["name"], "none");
  EXPECT_EQ(plugin("refused.so", facts)["state"], "refused");
}

TEST_F(PluginProgram, ProfileMeasuresThem) {
  const Outcome outcome = attune({"profile", "--seq", "16:32", "--heads", "2", "--head-dim", "8", "--variants", "full",
                                  "--backends", "all", "--seconds", "20", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const nlohmann::json profile = outcome.json();
  std::set<std::string> measured;
  for (const auto& curve : profile["curves"]) measured.insert(curve["backend"]);
  EXPECT_EQ(measured, (std::set<std::string>{"naive", "none", "simd", "tiled"}));
}

TEST_F(PluginProgram, RunUsesAPluginThatIsForced) {
  const Sample sample;
  const std::string out = sample.folder().path("out.npy");
  const Outcome outcome = attune(sample.run() + Words{"--out", out, "--backend", "none", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["backend"], "none");
  const Outcome unknown = attune(sample.run() + Words{"--out", out, "--backend", "null_execute"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_NE(unknown.err.find("refused.so is refused: its function execute is null"), std::string::npos) << unknown.err;
}

}  // namespace
}  // namespace attune::test
