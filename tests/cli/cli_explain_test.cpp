// `attune explain`: problems told by flags, and what is said of them.
#include <gtest/gtest.h>

#include <attune/engine.hpp>

#include "tests/cli/program.hpp"

namespace attune::test {
namespace {

const Words plain{"explain", "--q", "2,4,30,16", "--k", "2,2,30,16"};

nlohmann::json facts(const Words& more) {
  const Outcome outcome = run_attune(plain + Words{"--json"} + more);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return outcome.status == 0 ? outcome.json() : nlohmann::json();
}

TEST(Explain, TellsWhatTheLibraryTells) {
  const nlohmann::json told = facts({"--causal", "--threads", "1"});
  Problem problem;
  problem.heads = 4, problem.kv_heads = 2;
  problem.head_dim = problem.value_dim = 16;
  problem.causal = true;
  Engine engine{Engine::Config{}};
  const Explanation expected = engine.explain(problem, Extents::padded(2, 30, 30), 1);
  EXPECT_EQ(told["problem"], to_text(problem, Extents::padded(2, 30, 30)));
  EXPECT_EQ(told["backend"], expected.choice.backend);
  EXPECT_EQ(told["rule"], expected.choice.rule);
  EXPECT_EQ(told["plan"], expected.plan);
  EXPECT_EQ(told["workspace_bytes"], expected.workspace_bytes);
  EXPECT_EQ(told["flops"], expected.flops);
  EXPECT_EQ(told["attended_pairs"], expected.attended);
  EXPECT_EQ(told["skipped_share"], expected.skipped_share());
  ASSERT_EQ(told["candidates"].size(), expected.choice.candidates.size());
  EXPECT_EQ(told["candidates"][0]["estimated_seconds"], expected.choice.candidates[0].estimated_seconds);
}

TEST(Explain, EveryFlagIsPartOfTheProblem) {
  const Words every{"--v",           "2,2,30,8", "--dtype",      "bf16",      "--out-dtype", "f32",
                    "--align",       "top-left", "--window",     "5,-1",      "--softcap",   "30",
                    "--mask",        "bool",     "--block-mask", "16,8",      "--alibi",     "--sinks",
                    "--key-lengths", "--lse",    "--weights",    "--backend", "naive"};
  const nlohmann::json told = facts(every);
  EXPECT_EQ(told["problem"],
            "q [2, 4, 30, 16], k [2, 2, 30, 16], value_dim 8, bf16 query, bf16 key, bf16 value, f32 out, window 5,-1, "
            "top-left, softcap, bool mask, block mask, ALiBi, sinks, key lengths, with lse, with weights");
  EXPECT_EQ(told["backend"], "naive");
}

TEST(Explain, PackedMembers) {
  const Outcome outcome = run_attune({"explain", "--q", "30,4,16", "--k", "40,2,16", "--cu-seqlens-q", "0,10,30",
                                      "--cu-seqlens-k", "0,15,40", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["problem"],
            "2 packed members of up to 20 queries and 25 keys, q [30, 4, 16], k [40, 2, 16], f32");
}

TEST(Explain, SaysWhyABackendIsNotEligible) {
  const nlohmann::json told = facts({"--dtype", "f64"});
  EXPECT_EQ(told["backend"], "naive");
  bool refused = false;
  for (const auto& candidate : told["candidates"]) {
    if (candidate["eligible"]) continue;
    refused = true;
    EXPECT_NE(candidate["reason"].get<std::string>().find("f64"), std::string::npos);
  }
  EXPECT_TRUE(refused);
}

TEST(Explain, ReproducibleIsShownAsTheRule) {
  EXPECT_NE(facts({"--reproducible"})["rule"].get<std::string>().find("reproducible"), std::string::npos);
}

TEST(Explain, TheTextHoldsTheSameFacts) {
  const nlohmann::json told = facts({"--causal"});
  const std::string text = run_attune(plain + Words{"--causal"}).out;
  for (const char* fact : {"problem", "backend", "isa", "rule", "plan", "cpu"}) {
    EXPECT_NE(text.find(told[fact].get<std::string>()), std::string::npos) << fact << " in\n" << text;
  }
  EXPECT_NE(text.find("are skipped"), std::string::npos) << text;
  EXPECT_EQ(run_attune(plain).out.find("are skipped"), std::string::npos);
}

TEST(Explain, PairsAreWholeNumbers) {
  const Outcome outcome = run_attune({"explain", "--q", "1,3,2048,16", "--k", "1,3,2048,16", "--causal"});
  EXPECT_NE(outcome.out.find("6294528 pairs of query and key"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("of 12582912 are skipped"), std::string::npos) << outcome.out;
}

TEST(Explain, RefusesWhatACallWouldRefuse) {
  const auto refused = [](const Words& arguments, const char* words) {
    const Outcome outcome = run_attune(Words{"explain"} + arguments);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
  };
  refused({"--q", "1,4,8", "--k", "1,4,8,8"}, "--q: \"1,4,8\" has 3 sizes, must be B,H,Sq,D");
  refused({"--q", "1,4,8,x", "--k", "1,4,8,8"}, "--q: \"x\" is not a whole number");
  refused({"--q", "1,4,8,", "--k", "1,4,8,8"}, "--q: \"\" is not a whole number");
  refused({"--q", "1,4,8,8", "--k", "1,3,8,8"}, "must be a multiple");
  refused({"--q", "1,4,8,8", "--k", "1,4,8,8", "--window", "-2,0"}, "--window");
  refused({"--q", "1,4,8,8", "--k", "1,4,8,8", "--cu-seqlens-q", "0,8"}, "sizes, must be TOTAL,H,D");
  refused({"--q", "8,4,8", "--k", "8,4,8", "--cu-seqlens-q", "0,8"}, "cu_seqlens");
  refused({"--q", "1,4,8,8", "--k", "1,4,8,8", "--mask", "u8"}, "--mask");
  refused({"--q", "1,4,8,8", "--k", "1,4,8,8", "--backend", "magic"}, "there are");
  refused({"--q", "1,4,8,8", "--k", "1,4,8,8", "--threads", "0"}, "--threads");
  refused({"--q", "9000000000,9000000000,8,8", "--k", "1,4,8,8"}, "query");
  refused({"--k", "1,4,8,8"}, "--q");
}

TEST(Log, TellsTheChoiceOfAnyCommand) {
  const Outcome told = run_attune(plain, {"ATTUNE_LOG=select"});
  EXPECT_EQ(told.err.rfind("attune: select: ", 0), 0u) << told.err;
  EXPECT_NE(told.err.find("q [2, 4, 30, 16], k [2, 2, 30, 16], f32: smallest estimate\n"), std::string::npos)
      << told.err;
  EXPECT_EQ(run_attune(plain).err, "");
  EXPECT_EQ(run_attune(plain, {"ATTUNE_LOG=all"}).status, 2);
}

}  // namespace
}  // namespace attune::test
