// `attune plugin check` on a good plugin and on every hostile one: it names the fault and lives on.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <set>

#include "tests/cli/program.hpp"
#include "tests/io/scratch_folder.hpp"
#include "tests/plugins/plugin_home.hpp"

namespace attune::test {
namespace {

Outcome check(const std::string& file, const Words& more = {}) {
  return run_attune(Words{"plugin", "check", file} + more);
}

/// The findings as JSON; standard output must hold nothing else.
nlohmann::json findings(const std::string& file, const Words& more, int status) {
  const Outcome outcome = check(file, Words{"--json", "-"} + more);
  EXPECT_EQ(outcome.status, status) << outcome.err;
  return outcome.json();
}

/// What a fault comes to. `when`: at load (then status 2), or in a case that the filter chooses (then 1).
struct Expected {
  const char* fault;
  const char* filter;  // null: the file cannot be loaded
  const char* verdict;
  const char* words;  // of the reason
};

std::ostream& operator<<(std::ostream& out, const Expected& expected) { return out << expected.fault; }

constexpr const char* at_load = nullptr;
constexpr Expected expectations[] = {
    {"wrong_magic", at_load, "FAIL", "magic number"},
    {"size_zero", at_load, "FAIL", "size of 0 bytes"},
    {"size_small", at_load, "FAIL", "size of"},
    {"size_odd", at_load, "FAIL", "size of"},
    {"size_huge", at_load, "FAIL", "size of 4294967288 bytes"},
    {"version_new", at_load, "FAIL", "plugin ABI 2."},
    {"version_old", at_load, "FAIL", "plugin ABI 0."},
    {"null_answer", at_load, "FAIL", "refuses this host"},
    {"null_name", at_load, "FAIL", "name"},
    {"null_supports", at_load, "FAIL", "supports is null"},
    {"null_estimate", at_load, "FAIL", "estimate is null"},
    {"null_plan_create", at_load, "FAIL", "plan_create is null"},
    {"null_plan_destroy", at_load, "FAIL", "plan_destroy is null"},
    {"null_workspace_bytes", at_load, "FAIL", "workspace_bytes is null"},
    {"null_execute", at_load, "FAIL", "execute is null"},
    {"null_describe", at_load, "FAIL", "describe is null"},
    {"bad_name", at_load, "FAIL", "its name"},
    {"builtin_name", at_load, "FAIL", "\"tiled\" is taken"},
    {"throws_at_query", at_load, "FAIL", "thrown by the constructor"},
    {"throws_through_query", at_load, "CRASH", "thrown through the border"},
    {"throws_in_static", at_load, "CRASH", "thrown by a static initialiser"},
    {"aborts_at_load", at_load, "CRASH", "SIGABRT"},
    {"exits_at_load", at_load, "CRASH", "status 0 in the middle"},
    {"segfaults_in_static", at_load, "CRASH", "SIGSEGV"},
    {"segfaults_at_query", at_load, "CRASH", "SIGSEGV"},
    {"segfaults_beside_a_fork", at_load, "CRASH", "SIGSEGV"},
    {"segfaults_at_exit", at_load, "CRASH", "(Segmentation fault), at the end of a process that had loaded it"},
    {"changes_folder", at_load, "FAIL", "changes the working directory"},
    {"changes_locale", at_load, "FAIL", "changes the locale"},
    {"closes_stdin", at_load, "FAIL", "changes standard input"},
    {"catches_signals", at_load, "FAIL", "changes what happens at SIGINT"},
    {"blocks_signals", at_load, "FAIL", "changes whether SIGINT is blocked"},
    {"hangs_at_load", at_load, "TIMEOUT", "not done in 2 s"},
    {"garbage_supports", "contract/takes_something", "FAIL", "42, which is neither yes nor no"},
    {"garbage_estimate", "contract/estimates_and_plans", "FAIL", "not a time"},
    {"garbage_status", "grid/edges/q3", "FAIL", "run() reported failed"},
    {"garbage_workspace", "grid/edges/q3", "FAIL", "a workspace of 18446744073709551615 bytes"},
    {"no_plan", "contract/estimates_and_plans", "FAIL", "made no plan"},
    {"claims_nothing", "contract/takes_something", "FAIL", "it takes nothing"},
    {"endless_text", "contract/takes_something", "FAIL", "must take plain f32"},
    {"throws_in_supports", "contract/takes_something", "FAIL", "thrown by supports()"},
    {"throws_in_plan", "contract/estimates_and_plans", "FAIL", "thrown by plan()"},
    {"segfaults_in_supports", "contract/takes_something", "CRASH", "SIGSEGV"},
    {"segfaults_in_estimate", "contract/estimates_and_plans", "CRASH", "SIGSEGV"},
    {"segfaults_in_plan", "contract/estimates_and_plans", "CRASH", "SIGSEGV"},
    {"segfaults_in_describe", "contract/estimates_and_plans", "CRASH", "SIGSEGV"},
    {"segfaults_in_execute", "grid/edges/q3", "CRASH", "SIGSEGV"},
    {"segfaults_at_destroy", "grid/edges/q3", "CRASH", "SIGSEGV"},
    {"throws_in_execute", "grid/edges/q3", "CRASH", "SIGABRT"},
    {"exits_in_execute", "grid/edges/q3", "CRASH", "status 0 in the middle"},
    {"hangs_in_supports", "contract/takes_something", "TIMEOUT", "not done in 2 s"},
    {"hangs_in_execute", "grid/edges/q3", "TIMEOUT", "not done in 2 s"},
    {"writes_past_output", "grid/edges/q3", "FAIL", "a byte outside of out was written"},
    {"writes_past_workspace", "grid/edges/q3", "FAIL", "bytes outside of the workspace were written"},
    {"writes_nothing", "grid/edges/q3", "FAIL", "out"},
    {"wrong_row", "grid/edges/q9", "FAIL", "out"},
};

class CheckNames : public testing::TestWithParam<Expected> {};

TEST_P(CheckNames, TheFault) {
  const Expected& expected = GetParam();
  const Words limit = {"--timeout", expected.verdict == std::string("TIMEOUT") ? "2" : "60"};
  if (expected.filter == at_load) {
    const nlohmann::json facts = findings(hostile_plugin(expected.fault), limit, 2);
    EXPECT_EQ(facts["load"]["verdict"], expected.verdict) << facts;
    EXPECT_NE(facts["reason"].get<std::string>().find(expected.words), std::string::npos) << facts;
    EXPECT_TRUE(facts["cases"].empty());
    return;
  }
  const nlohmann::json facts = findings(hostile_plugin(expected.fault), limit + Words{"--filter", expected.filter}, 1);
  EXPECT_FALSE(facts["passes"]);
  ASSERT_EQ(facts["cases"].size(), 1u);
  const nlohmann::json& result = facts["cases"][0];
  EXPECT_EQ(result["verdict"], expected.verdict) << result;
  EXPECT_NE(result["reason"].get<std::string>().find(expected.words), std::string::npos) << result;
}

INSTANTIATE_TEST_SUITE_P(Hostile, CheckNames, testing::ValuesIn(expectations),
                         [](const auto& about) { return std::string(about.param.fault); });

/// Odd, but not wrong.
constexpr const char* only_odd[] = {"none",
                                    "twin_a",
                                    "twin_b",
                                    "same_class_a",
                                    "same_class_b",
                                    "forks_at_load",
                                    "leaks_threads",
                                    "prints_a_megabyte",
                                    "changes_rounding"};

class CheckPasses : public testing::TestWithParam<const char*> {};

TEST_P(CheckPasses, WhatIsOnlyOdd) {
  const Outcome outcome = check(hostile_plugin(GetParam()), {"--filter", "contract/*"});
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  EXPECT_LT(outcome.out.size(), 5000u);  // what the plugin prints is not among it
  EXPECT_EQ(outcome.err, "");
}

INSTANTIATE_TEST_SUITE_P(Hostile, CheckPasses, testing::ValuesIn(only_odd),
                         [](const auto& about) { return std::string(about.param); });

TEST(Check, EveryHostilePluginHasAnExpectation) {
  std::set<std::string> known(std::begin(only_odd), std::end(only_odd));
  for (const Expected& expected : expectations) known.insert(expected.fault);
  for (const auto& entry : std::filesystem::directory_iterator(ATTUNE_HOSTILE_FOLDER)) {
    const std::string name = entry.path().stem();
    if (entry.path().extension() != ".so" || !name.starts_with("hostile_")) continue;
    EXPECT_TRUE(known.contains(name.substr(8))) << name;
  }
}

TEST(Check, AGoodPluginPassesTheWholeQuickTier) {
  const Outcome outcome = check(hostile_plugin("none"), {"--seed", "3"});
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("backend none"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("promises: same bits for any threads, "), std::string::npos);
  EXPECT_NE(outcome.out.find("it does not take causal"), std::string::npos);  // why cases were skipped
  EXPECT_NE(outcome.out.find(" 0 FAIL  0 CRASH  0 TIMEOUT"), std::string::npos);
  EXPECT_TRUE(outcome.out.ends_with("passes.\n"));
}

TEST(Check, WhatTakesNothingDoesNotPass) {
  EXPECT_EQ(check(hostile_plugin("claims_nothing")).status, 1);
  const Outcome outcome =
      check(hostile_plugin("claims_nothing"), {"--filter", "grid/edges/*"});  // every case is a skip
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("takes nothing does not pass"), std::string::npos) << outcome.err;
}

TEST(Check, TheCommandOfAFindingShowsItAgain) {
  const nlohmann::json first = findings(hostile_plugin("wrong_row"), {"--filter", "grid/*", "--seed", "7"}, 1);
  EXPECT_GE(first["counts"]["FAIL"], 1);
  for (const auto& result : first["cases"]) {
    if (result["verdict"] != "FAIL") continue;
    const std::string command = result["again"];
    EXPECT_EQ(command, "attune plugin check " + hostile_plugin("wrong_row") + " --isa generic --filter " +
                           result["case"].get<std::string>() + " --seed 7");
    const nlohmann::json second =
        findings(hostile_plugin("wrong_row"), {"--isa", "generic", "--filter", result["case"], "--seed", "7"}, 1);
    ASSERT_EQ(second["cases"].size(), 1u);
    EXPECT_EQ(second["cases"][0]["reason"], result["reason"]);
    break;
  }
}

TEST(Check, JobsDoNotChangeTheFindings) {
  const auto without_times = [](nlohmann::json facts) {
    for (auto& result : facts["cases"]) result.erase("seconds");
    return facts;
  };
  const Words words = {"--filter", "grid/edges/q1*", "--jobs"};
  EXPECT_EQ(without_times(findings(hostile_plugin("wrong_row"), words + Words{"1"}, 1)),
            without_times(findings(hostile_plugin("wrong_row"), words + Words{"7"}, 1)));
}

TEST(Check, AfterThreeTimeoutsTheRestIsNotRun) {
  const nlohmann::json facts =
      findings(hostile_plugin("hangs_in_execute"), {"--filter", "grid/edges/*", "--timeout", "1"}, 1);
  EXPECT_GE(facts["counts"]["TIMEOUT"], 3);
  EXPECT_GT(facts["counts"]["SKIP"], 10);
  EXPECT_NE(facts["cases"].back()["reason"].get<std::string>().find("had run out of time"), std::string::npos);
}

TEST(Check, JsonGoesToAFileAndTextToTheTerminal) {
  const ScratchFolder folder;
  const std::string path = folder.path("odd name.json");
  const Outcome outcome = check(hostile_plugin("wrong_row"), {"--filter", "grid/edges/q9", "--json", path});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.out.find("FAIL    generic grid/edges/q9: "), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("again: attune plugin check "), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(contents_of(path))["counts"]["FAIL"], 1);
}

TEST(Check, HelpTellsOfOptionsVerdictsAndStatus) {
  const Outcome outcome = run_attune({"plugin", "check", "--help"});
  EXPECT_EQ(outcome.status, 0);
  for (const char* words : {"--filter", "--list", "--isa", "--tier", "--seed", "--jobs", "--timeout", "--json", "PASS",
                            "FAIL", "CRASH", "TIMEOUT", "SKIP", "Examples:", "Exit status:"}) {
    EXPECT_NE(outcome.out.find(words), std::string::npos) << words << " in\n" << outcome.out;
  }
}

TEST(Check, ListNeedsNoFile) {
  const Outcome outcome = run_attune({"plugin", "check", "--list", "--filter", "contract/*"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.out.find("contract/takes_something\n"), std::string::npos);
}

TEST(Check, AFilterThatIsANameChoosesThatCaseAlone) {
  EXPECT_EQ(run_attune({"plugin", "check", "--list", "--filter", "grid/edges/q1"}).out, "grid/edges/q1\n");
}

TEST(Check, WrongUsageIsNamed) {
  const auto refusal = [](const Words& words, const std::string& expected) {
    const Outcome outcome = run_attune(Words{"plugin", "check"} + words);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(expected), std::string::npos) << outcome.err;
  };
  const std::string good = hostile_plugin("none");
  refusal({}, "FILE");
  refusal({good, "--jobs", "0"}, "--jobs");
  refusal({good, "--timeout", "0"}, "--timeout");
  refusal({good, "--seed", "-1"}, "--seed");
  refusal({good, "--tier", "most"}, "--tier");
  refusal({good, "--filter", "no/such/case"}, "--filter");
  refusal({good, "--isa", "mmx"}, "it has generic");
  const Outcome outcome = run_attune({"plugin", "check", good, "--json", "/no/such/folder/x.json"});
  EXPECT_EQ(outcome.status, 1);  // before any work
  EXPECT_NE(outcome.err.find("/no/such/folder"), std::string::npos) << outcome.err;
}

TEST(Check, AFileThatIsCutOffAnywhereIsNamed) {
  const ScratchFolder folder;
  const std::string whole = contents_of(hostile_plugin("none"));
  constexpr std::size_t places = 100;
  for (std::size_t place = 0; place < places; ++place) {
    const nlohmann::json facts = findings(folder.file("cut.so", whole.substr(0, whole.size() * place / places)), {}, 2);
    EXPECT_EQ(facts["load"]["verdict"], "FAIL") << place << facts;
    const std::string reason = facts["reason"];
    EXPECT_TRUE(reason.find("cut off") != reason.npos || reason.find("too short") != reason.npos) << place << reason;
  }
}

TEST(Check, FilesThatAreNoPluginsAreNamed) {
  const ScratchFolder folder;
  const auto reason = [](const std::string& file) {
    const Outcome outcome = check(file);
    EXPECT_EQ(outcome.status, 2) << file;
    EXPECT_EQ(outcome.out, "") << file;
    return outcome.err;
  };
  EXPECT_NE(reason(folder.path("missing.so")).find("missing.so"), std::string::npos);
  EXPECT_NE(reason(folder.path("")).find("cannot be loaded"), std::string::npos);  // a folder
  folder.file("text.so", "no library at all, but long enough to hold the header of an ELF file ........");
  EXPECT_NE(reason(folder.path("text.so")).find("not an ELF file"), std::string::npos);
  EXPECT_NE(reason(ATTUNE_NOT_A_PLUGIN).find("does not export attune_plugin_query"), std::string::npos);
  const std::string whole = contents_of(hostile_plugin("none"));
  std::string foreign = whole;
  foreign[18] = static_cast<char>(foreign[18] ^ 0x40);  // e_machine
  folder.file("foreign.so", foreign);
  EXPECT_NE(reason(folder.path("foreign.so")).find("another kind of machine"), std::string::npos);
  folder.file("half.so", whole.substr(0, whole.size() / 2));
  EXPECT_NE(reason(folder.path("half.so")).find("cut off"), std::string::npos);
  folder.file("open.so", whole);
  chmod(folder.path("open.so").c_str(), 0777);
  EXPECT_NE(reason(folder.path("open.so")).find("written by others"), std::string::npos);
}

TEST(Check, LinksSpacesAndRelativePathsWork) {
  const ScratchFolder folder;
  const std::string link = folder.path("a link to it.so");
  ASSERT_EQ(symlink(hostile_plugin("none").c_str(), link.c_str()), 0);
  const Outcome outcome = check(link, {"--filter", "contract/name"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const std::string relative = std::filesystem::relative(hostile_plugin("none"));
  EXPECT_EQ(check(relative, {"--filter", "contract/name"}).status, 0);
}

TEST(Check, UniqueSymbolsAreRefusedAndExplained) {
  const std::string file = ATTUNE_UNIQUE_PLUGIN;
  if (file.empty()) GTEST_SKIP() << "only g++ makes such symbols";
  const Outcome outcome = check(file);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.err.find("STB_GNU_UNIQUE"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("-fno-gnu-unique"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace attune::test
