// Which backend, instruction set and number of threads: `attune backends` tells what there is, and each of it can
// be had.
#include <gtest/gtest.h>

#include "tests/cli/sample.hpp"

namespace attune::test {
namespace {

nlohmann::json listed(const std::string& what) { return run_attune({"backends", "--json"}).json().at(what); }

class Execution : public testing::Test {
 protected:
  Outcome run(const Words& arguments, const Words& environment = {}) const {
    return run_attune(sample_.run() + Words{"--out", sample_.folder().path("out.npy"), "--json"} + arguments,
                      environment);
  }
  nlohmann::json facts(const Words& arguments, const Words& environment = {}) const {
    const Outcome outcome = run(arguments, environment);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? outcome.json() : nlohmann::json();
  }
  io::Tensor result() const { return io::read_tensor(sample_.folder().path("out.npy")); }

  Sample sample_;
};

TEST_F(Execution, TellsWhatWasUsedAndWhy) {
  const nlohmann::json told = facts({"--repeat", "3"});
  EXPECT_NE(told["rule"], "");
  EXPECT_EQ(told["repeat"], 3);
  EXPECT_GT(told["seconds"], 0.0);
  EXPECT_GT(told["gflops_per_second"], 0.0);
  // Without a mask every pair is attended: 2 · pairs · (D + Dv).
  EXPECT_EQ(told["flops"],
            2.0 * Sample::batch * Sample::heads * Sample::queries * Sample::keys * (Sample::dim + Sample::value_dim));
  EXPECT_EQ(told["candidates"].size(), listed("backends").size());
  EXPECT_EQ(told["outputs"][0]["shape"], sample_.expected().out.shape);
  EXPECT_EQ(told["outputs"][0]["dtype"], "f32");
}

TEST_F(Execution, TheTextNamesTheSame) {
  const Outcome outcome = run_attune(
      sample_.run() + Words{"--out", sample_.folder().path("out.npy"), "--backend", "naive", "--repeat", "2"});
  for (const char* words : {"naive (forced by the call)", "instruction set", "threads", "median of 2 runs", "GFLOP/s",
                            "out.npy f32 [2, 4, 5, 6]"}) {
    EXPECT_NE(outcome.out.find(words), std::string::npos) << words << " in\n" << outcome.out;
  }
}

TEST_F(Execution, TheAutomaticChoiceIsTheLibrarysOwn) {
  facts({});
  io::Tensor expected = io::make_tensor(DType::f32, sample_.expected().out.shape);
  Engine engine{{}};
  engine.attention({sample_.query().view(), sample_.key().view(), sample_.value().view(), expected.mutable_view()});
  expect_same(result(), expected);
}

TEST_F(Execution, EveryBackendAndVariantCanBeForced) {
  for (const auto& backend : listed("backends")) {
    for (const auto& variant : backend["variants"]) {
      const std::string name = backend["name"], isa = variant["isa"];
      const Words forced{"--backend", name, "--isa", isa};
      if (isa == "generic") {
        EXPECT_EQ(facts({"--backend", name})["isa"], isa);
      } else if (variant["available"]) {
        const nlohmann::json told = facts(forced);
        EXPECT_EQ(told["backend"], name);
        EXPECT_EQ(told["isa"], isa);
      } else {
        EXPECT_EQ(run(forced).status, 2) << name << ' ' << isa;
      }
    }
  }
}

TEST_F(Execution, TheEnvironmentForcesToo) {
  EXPECT_EQ(facts({}, {"ATTUNE_BACKEND=naive"})["backend"], "naive");
  const nlohmann::json machine = listed("machine");
  for (const auto& isa : machine["isas"]) {
    const std::string setting = "ATTUNE_ISA=" + isa.get<std::string>();
    EXPECT_EQ(run_attune({"backends", "--json"}, {setting}).json()["machine"]["isa"], isa);
  }
}

TEST_F(Execution, ThreadsAreExactOrOne) {
  if (!ATTUNE_TBB) GTEST_SKIP() << "built without oneTBB";
  for (const auto& backend : listed("backends")) {
    const nlohmann::json told = facts({"--backend", backend["name"], "--threads", "3"});
    EXPECT_EQ(told["threads"], backend["parallel"] ? 3 : 1) << backend["name"];
  }
}

TEST_F(Execution, OneVariantOfEachBackendIsTheDefault) {
  for (const auto& backend : listed("backends")) {
    int defaults = 0;
    for (const auto& variant : backend["variants"]) {
      if (variant["default"]) ++defaults;
      EXPECT_EQ(variant.contains("reason"), !variant["available"]);
    }
    EXPECT_EQ(defaults, 1) << backend["name"];
  }
}

}  // namespace
}  // namespace attune::test
