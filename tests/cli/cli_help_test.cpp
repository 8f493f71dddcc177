// Help, version and JSON of every command.
#include <gtest/gtest.h>

#include "tests/cli/sample.hpp"

namespace attune::test {
namespace {

void expect_help(const Words& arguments, const Words& expected) {
  const Outcome outcome = run_attune(arguments);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
  for (const std::string& words : expected) {
    EXPECT_NE(outcome.out.find(words), std::string::npos) << words << " in\n" << outcome.out;
  }
}

TEST(Help, OfTheProgram) {
  for (const char* option : {"--help", "-h"}) {
    expect_help({option}, {"run", "backends", "profile", "Examples:", "attune run --q", "Exit status"});
  }
}

TEST(Help, OfRunNamesEveryOption) {
  expect_help({"run", "--help"}, {"--q",           "--k",          "--v",          "--out",          "--lse",
                                  "--weights",     "--layout",     "--causal",     "--align",        "--scale",
                                  "--window",      "--softcap",    "--mask",       "--alibi",        "--sinks",
                                  "--key-lengths", "--block-mask", "--block-size", "--cu-seqlens-q", "--cu-seqlens-k",
                                  "--out-dtype",   "--backend",    "--isa",        "--threads",      "--repeat",
                                  "--json",        "Examples:",    "Exit status"});
}

TEST(Help, OfBackends) { expect_help({"backends", "--help"}, {"--json", "ATTUNE_BACKEND", "ATTUNE_ISA", "Examples:"}); }

TEST(Help, OfPluginsIsAboutPlugins) {
  expect_help({"plugin", "--help"}, {"check", "list", "new", "quarantine", "attune plugin new"});
  EXPECT_EQ(run_attune({"plugin", "--help"}).out.find("attune tune"), std::string::npos);
}

TEST(Help, VersionIsTheLibrarys) {
  EXPECT_EQ(run_attune({"--version"}).out, std::string("attune ") + version() + "\n");
}

TEST(Help, BackendsInTextAndJsonAgree) {
  const std::string text = run_attune({"backends"}).out;
  const nlohmann::json facts = run_attune({"backends", "--json"}).json();
  EXPECT_EQ(facts["version"], version());
  EXPECT_NE(text.find(facts["machine"]["cpu"].get<std::string>()), std::string::npos);
  ASSERT_FALSE(facts["backends"].empty());
  for (const auto& backend : facts["backends"]) {
    EXPECT_NE(text.find(backend["description"].get<std::string>()), std::string::npos) << backend["name"];
    for (const auto& variant : backend["variants"]) {
      EXPECT_NE(text.find(variant["isa"].get<std::string>()), std::string::npos) << variant;
    }
  }
}

TEST(Json, OfRunSurvivesOddFileNames) {
  const Sample sample;
  const std::string out = sample.folder().path("odd \" \xff \\.npy");
  const Outcome outcome = run_attune(sample.run() + Words{"--out", out, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["outputs"][0]["name"], "out");
  EXPECT_EQ(io::read_tensor(out).shape, sample.expected().out.shape);
}

}  // namespace
}  // namespace attune::test
