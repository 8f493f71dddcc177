// `attune plugin list` and `check` where the surroundings are wrong: closed streams, no home, a full disk, a probe that
// is none.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/cli/program.hpp"
#include "tests/plugins/plugin_home.hpp"

namespace attune::test {
namespace {

class Adverse : public testing::Test {
 protected:
  /// Exit status of the program with these words, run by a shell in these surroundings ("ulimit -f 0;"); −1: a signal.
  int run(const std::string& before, const std::string& words, const std::string& redirections) const {
    const std::string line = before + " exec " ATTUNE_PROGRAM " " + words + " " + redirections;
    const int status = std::system(line.c_str());
    return WIFEXITED(status) && WEXITSTATUS(status) < 128 ? WEXITSTATUS(status) : -1;
  }
  std::string state(const Outcome& outcome) const {
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? outcome.json()["plugins"][0]["state"].get<std::string>() : "";
  }
  std::string verdicts() const { return contents_of(home.folder().path("state/attune/plugin-verdicts")); }

  const PluginHome home;
  const std::string good = hostile_plugin("none");
  const Words list{"plugin", "list", "--json", good};
};

TEST_F(Adverse, ClosedStreamsHideNoVerdictAndReceiveNone) {
  const std::string out = home.folder().path("out");
  EXPECT_EQ(run("", "plugin list --json " + good, "<&- 2>&- >" + out), 0);
  EXPECT_EQ(nlohmann::json::parse(contents_of(out))["plugins"][0]["state"], "loaded");
  EXPECT_EQ(run("", "plugin list " + good, "<&- >&- 2>&-"), 1);  // what it had to say was not heard
  EXPECT_EQ(run("", "plugin list /nowhere.so " + good, "<&- >&- 2>" + out), 1);
  EXPECT_NE(contents_of(out).find("standard output"), std::string::npos);
  EXPECT_TRUE(verdicts().starts_with("good\t")) << verdicts();
  EXPECT_EQ(verdicts().find("STATE"), std::string::npos);  // the table did not end up in it
}

TEST_F(Adverse, ChecksWithClosedStreams) {
  const std::string json = home.folder().path("findings.json");
  const std::string words = "plugin check --filter contract/name --json " + json + " " + good;
  EXPECT_EQ(run("", words, "<&- 2>&- >/dev/null"), 0);
  EXPECT_TRUE(nlohmann::json::parse(contents_of(json))["passes"]);
  EXPECT_EQ(run("", words, "<&- >&- 2>&-"), 1);
}

TEST_F(Adverse, NoHomeIsANoteAndNoReason) {
  EXPECT_EQ(run("unset HOME XDG_STATE_HOME XDG_DATA_HOME;", "plugin list " + good, ">/dev/null"), 0);
  const Outcome outcome = run_attune(list, {"XDG_STATE_HOME=/dev/null"});
  EXPECT_EQ(state(outcome), "loaded");
  EXPECT_NE(outcome.json()["notes"][0].get<std::string>().find("is not kept"), std::string::npos);
}

TEST_F(Adverse, AFullDiskIsANoteAndLeavesNothing) {
  if (ATTUNE_UNDER_TSAN) GTEST_SKIP() << "ThreadSanitizer writes a file before main(), which the limit ends";
  const std::string out = home.folder().path("out");
  EXPECT_EQ(run("(ulimit -f 0;", "plugin list --json " + good, ") | cat >" + out), 0);
  const nlohmann::json facts = nlohmann::json::parse(contents_of(out));
  EXPECT_EQ(facts["plugins"][0]["state"], "loaded");
  EXPECT_NE(facts["notes"][0].get<std::string>().find("is not kept"), std::string::npos) << facts;
  EXPECT_EQ(
      run("ulimit -f 0;", "plugin check --filter contract/name --json " + out + ".json " + good, ">/dev/null 2>&1"), 1);
  for (const std::string& name : home.folder().names()) EXPECT_FALSE(name.starts_with("out.json")) << name;
}

TEST_F(Adverse, WhatAPluginPrintsAsItIsLoadedIsNotAmongTheFacts) {
  const std::string printing = home.copy(hostile_plugin("prints_a_megabyte"), "printing/it.so");
  EXPECT_EQ(state(run_attune({"plugin", "list", "--json", printing})), "loaded");
  const std::string path = "ATTUNE_PLUGIN_PATH=" + home.folder().path("printing");
  EXPECT_EQ(run_attune({"backends", "--json"}, {path}).json()["backends"].back()["name"], "prints_a_megabyte");
  EXPECT_EQ(run("XDG_DATA_HOME=/nowhere", "plugin list " + printing, ">/dev/null 2>&-"), 0);
}

TEST_F(Adverse, AProbeThatIsNoneIsNotThePluginsFault) {
  for (const char* program : {"/bin/true", "/bin/false", "/bin/cat", "/nowhere", "/etc", ""}) {
    const Outcome outcome = run_attune(list, {std::string("ATTUNE_PLUGIN_PROBE=") + program});
    EXPECT_EQ(state(outcome), "refused") << program;
    EXPECT_NE(outcome.out.find("it cannot be tried"), std::string::npos) << outcome.out;
  }
  EXPECT_EQ(state(run_attune(list)), "loaded");  // nothing of that was kept
}

TEST_F(Adverse, OddSearchPathsAreNamedOneByOne) {
  const std::string path = "ATTUNE_PLUGIN_PATH=::relative:/nowhere:/dev/null:/" + std::string(5000, 'x');
  const nlohmann::json facts = run_attune({"plugin", "list", "--json"}, {path}).json();
  EXPECT_TRUE(facts["plugins"].empty());
  int hindered = 0;
  for (const auto& folder : facts["folders"])
    hindered += folder["origin"] == "ATTUNE_PLUGIN_PATH" && folder.contains("hindrance");
  EXPECT_EQ(hindered, 6);
}

TEST_F(Adverse, RelativePathsAndSpacesWork) {
  const std::string copy = home.copy(good, "a folder/good one.so");
  EXPECT_EQ(
      run("cd '" + home.folder().path("a folder") + "';", "plugin list 'good one.so' | grep -q '^loaded *none'", ""),
      0);
  EXPECT_EQ(run("cd '" + home.folder().path("a folder") + "';",
                "plugin check --filter contract/name 'good one.so' >/dev/null", ""),
            0);
}

}  // namespace
}  // namespace attune::test
