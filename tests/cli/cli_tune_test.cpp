// `attune tune` and `attune wisdom`: what was measured is kept, told and used.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/cli/program.hpp"
#include "tests/io/scratch_folder.hpp"

namespace attune::test {
namespace {

class Tune : public testing::Test {
 protected:
  Outcome run(const Words& arguments) const { return run_attune(arguments, {"ATTUNE_WISDOM=" + wisdom()}); }
  nlohmann::json facts(const Words& arguments) const {
    const Outcome outcome = run(arguments + Words{"--json"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? outcome.json() : nlohmann::json();
  }
  std::string wisdom() const { return folder_.path("wisdom.json"); }
  std::string list(const std::string& text) const {
    std::ofstream(folder_.path("list.json")) << text;
    return folder_.path("list.json");
  }

  ScratchFolder folder_;
};

const Words shapes{"--q", "1,2,20,16", "--k", "1,2,20,16"};
const Words tune_it = Words{"tune"} + shapes + Words{"--budget", "20"};

TEST_F(Tune, KeepsTellsAndUsesTheWinner) {
  const nlohmann::json tuned = facts(tune_it);
  ASSERT_EQ(tuned["problems"].size(), 1u);
  const nlohmann::json& one = tuned["problems"][0];
  EXPECT_EQ(one["problem"], "q [1, 2, 20, 16], k [1, 2, 20, 16], f32");
  EXPECT_TRUE(one["learned"].get<bool>());
  EXPECT_EQ(one["note"], "");
  EXPECT_EQ(tuned["wisdom"], wisdom());
  EXPECT_FALSE(tuned["interrupted"].get<bool>());

  const nlohmann::json shown = facts({"wisdom", "show"});
  ASSERT_EQ(shown["entries"].size(), 1u);
  EXPECT_EQ(shown["entries"][0]["winner"], one["winner"]);
  EXPECT_EQ(shown["entries"][0]["problem"], "q [1, 2, 32, 16], k [1, 2, 32, 16], f32");

  const nlohmann::json explained = facts(Words{"explain"} + shapes);
  EXPECT_EQ(explained["backend"], one["winner"]["backend"]);
  EXPECT_EQ(explained["threads"], one["winner"]["threads"]);
  EXPECT_NE(explained["rule"].get<std::string>().find("measured"), std::string::npos);
  EXPECT_EQ(explained["measurements"], one["measurements"]);
  EXPECT_NE(run(Words{"explain"} + shapes).out.find("measured"), std::string::npos);
}

TEST_F(Tune, TextNamesTheWinnerAndTheFile) {
  const Outcome outcome = run(tune_it);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.out.find("the fastest"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("Remembered in " + wisdom()), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.err, "");  // no progress where no terminal is
  EXPECT_NE(run({"wisdom", "show"}).out.find("up to q [1, 2, 32, 16]"), std::string::npos);
}

TEST_F(Tune, PinsAreHonouredAndShown) {
  const nlohmann::json tuned = facts(tune_it + Words{"--backend", "naive"})["problems"][0];
  EXPECT_EQ(tuned["pinned"], "backend naive");
  EXPECT_EQ(tuned["winner"]["backend"], "naive");
  EXPECT_EQ(tuned["measurements"].size(), 1u);
  const nlohmann::json pinned = facts(tune_it + Words{"--reproducible"})["problems"][0];
  EXPECT_FALSE(pinned["learned"].get<bool>());
  EXPECT_NE(pinned["why"].get<std::string>().find("reproducible"), std::string::npos);
}

TEST_F(Tune, AListIsTunedOneByOne) {
  const std::string file = list(
      R"([{"q": "1,2,9,8", "k": [1, 2, 9, 8], "causal": true}, {"q": "1,2,1,8", "k": "1,1,70,8", "window": "5,0", "lse": true}])");
  const nlohmann::json tuned = facts({"tune", "--list", file, "--budget", "20"});
  ASSERT_EQ(tuned["problems"].size(), 2u);
  EXPECT_EQ(tuned["problems"][0]["problem"], "q [1, 2, 9, 8], k [1, 2, 9, 8], f32, causal");
  EXPECT_EQ(tuned["problems"][1]["problem"], "q [1, 2, 1, 8], k [1, 1, 70, 8], f32, window 5,0, with lse");
}

TEST_F(Tune, RefusesWrongLists) {
  const auto refused = [&](const std::string& text, const char* words) {
    const Outcome outcome = run({"tune", "--list", list(text)});
    EXPECT_EQ(outcome.status, 2) << text;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
  };
  refused("", "not JSON");
  refused("{}", "list of 1 to");
  refused("[]", "list of 1 to");
  refused("[1]", "must be an object");
  refused(R"([{"q": "1,2,9,8"}])", "needs");
  refused(R"([{"q": "1,2,9,8", "k": "1,2,9,8", "colour": 1}])", "\"colour\": is no property");
  refused(R"([{"q": "1,2,9,8", "k": "1,2,9,8", "causal": "yes"}])", "true or false");
  refused(R"([{"q": {}, "k": "1,2,9,8"}])", "must be a text, a number or a list");
  refused(R"([{"q": "1,2,9,8", "k": "1,2,9,8", "dtype": "f8"}])", "f8");
  refused(R"([{"q": "1,2,9,8", "k": "1,3,9,8"}])", "multiple");
  refused(std::string(10'000, '['), "nested too deeply");
  EXPECT_EQ(run({"tune", "--list", folder_.path("nothing.json")}).status, 2);
}

TEST_F(Tune, RefusesWrongCommandLines) {
  EXPECT_NE(run({"tune"}).err.find("nothing to tune"), std::string::npos);
  EXPECT_NE(run({"tune", "--q", "1,2,9,8"}).err.find("--k"), std::string::npos);
  EXPECT_NE(run({"tune", "--set", "magic"}).err.find("there are bert, gpt-prefill"), std::string::npos);
  EXPECT_EQ(run(tune_it + Words{"--budget", "0"}).status, 2);
  EXPECT_EQ(run(tune_it + Words{"--threads", "1025"}).status, 2);
}

TEST_F(Tune, WisdomMovesByExportAndImport) {
  facts(tune_it);
  const std::string exported = folder_.path("exported.json");
  EXPECT_EQ(run({"wisdom", "export", exported}).status, 0);
  EXPECT_EQ(run({"wisdom", "export"}).out, contents_of(exported));
  EXPECT_EQ(run({"wisdom", "clear"}).status, 0);
  EXPECT_TRUE(facts({"wisdom", "show"})["entries"].empty());
  EXPECT_EQ(run({"wisdom", "import", exported}).status, 0);
  EXPECT_EQ(facts({"wisdom", "show"})["entries"].size(), 1u);
}

TEST_F(Tune, DamagedWisdomIsANoteAndNoFailure) {
  std::ofstream(wisdom()) << "nonsense";
  const Outcome explained = run(Words{"explain"} + shapes);
  EXPECT_EQ(explained.status, 0);
  EXPECT_NE(explained.err.find("is not JSON; it is not used"), std::string::npos) << explained.err;
  const Outcome imported = run({"wisdom", "import", wisdom()});
  EXPECT_EQ(imported.status, 2);
  EXPECT_NE(imported.err.find("is not JSON"), std::string::npos) << imported.err;
  EXPECT_EQ(run({"wisdom", "import", folder_.path("nothing")}).status, 2);
}

TEST_F(Tune, EverySetExists) {
  const std::string help = run_attune({"tune", "--help"}).out;
  for (const char* set : {"bert", "gpt-prefill", "gpt-decode", "whisper", "vit", "sd"}) {
    EXPECT_NE(help.find(set), std::string::npos) << set;
  }
}

}  // namespace
}  // namespace attune::test
