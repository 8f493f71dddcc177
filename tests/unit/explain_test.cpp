// What the engine says of a choice: in an Explanation, in words, and on standard error.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/fake_backend.hpp"
#include "tests/unit/small_call.hpp"

namespace attune {
namespace {

using test::FakeBackend;
using test::refusal;

Problem causal_problem() {
  Problem problem;
  problem.heads = problem.kv_heads = 2;
  problem.head_dim = problem.value_dim = 8;
  problem.causal = true;
  return problem;
}

TEST(Explain, SaysWhatThePlanSays) {
  Engine engine{Engine::Config{}};
  const Extents extents = Extents::padded(3, 4, 4);
  const Explanation facts = engine.explain(causal_problem(), extents, 1, {.backend = "simd"});
  const auto plan = engine.plan(causal_problem(), extents, 1, {.backend = "simd"});
  EXPECT_EQ(facts.choice.backend, "simd");
  EXPECT_EQ(facts.choice.rule, "forced by the call");
  EXPECT_EQ(facts.choice.isa, plan->isa());
  EXPECT_EQ(facts.choice.candidates.size(), engine.backends().size());
  EXPECT_EQ(facts.plan, plan->describe(extents, 1));
  EXPECT_EQ(facts.workspace_bytes, plan->workspace_bytes(extents, 1));
}

TEST(Explain, CountsThePairsThatCausalLeaves) {
  Engine engine{Engine::Config{}};
  const Explanation facts = engine.explain(causal_problem(), Extents::padded(3, 4, 4), 1);
  EXPECT_EQ(facts.pairs, 3 * 2 * 4 * 4);
  EXPECT_EQ(facts.attended, 3 * 2 * (1 + 2 + 3 + 4));
  EXPECT_EQ(facts.flops, facts.attended * 2 * (8 + 8));
  EXPECT_DOUBLE_EQ(facts.skipped_share(), 1 - 60.0 / 96.0);
}

TEST(Explain, SkipsNothingWhereThereIsNothing) {
  Engine engine{Engine::Config{}};
  EXPECT_EQ(engine.explain(causal_problem(), Extents::padded(3, 4, 0), 1).skipped_share(), 0);
}

TEST(Explain, RefusesWhatNobodyTakes) {
  Engine engine{Engine::Config{.builtins = false}};
  refusal([&] { engine.explain(Problem{}, Extents{}, 1); }, ErrorCode::unsupported);
}

TEST(Words, OfAPlainProblemLeaveTheDefaultsOut) {
  EXPECT_EQ(to_text(causal_problem(), Extents::padded(3, 4, 5)), "q [3, 2, 4, 8], k [3, 2, 5, 8], f32, causal");
}

TEST(Words, OfEveryOption) {
  Problem p = causal_problem();
  p.value_dim = 6;
  p.key_dtype = DType::bf16;
  p.window_left = 3;
  p.mask = MaskKind::boolean;
  p.align = Align::Kind::top_left;
  p.softcap = p.alibi = p.sinks = p.key_lengths = p.lse = p.weights = p.block_mask = true;
  EXPECT_EQ(
      to_text(p, Extents::padded(1, 4, 5)),
      "q [1, 2, 4, 8], k [1, 2, 5, 8], value_dim 6, f32 query, bf16 key, f32 value, f32 out, causal, window 3,-1, "
      "top-left, softcap, bool mask, block mask, ALiBi, sinks, key lengths, with lse, with weights");
}

TEST(Words, OfPackedMembers) {
  Problem p = causal_problem();
  p.cu_seqlens = true;
  EXPECT_EQ(to_text(p, {.batch = 2, .queries = 7, .keys = 9, .total_queries = 10, .total_keys = 12}),
            "2 packed members of up to 7 queries and 9 keys, q [10, 2, 8], k [12, 2, 8], f32, causal");
}

TEST(Log, TellsEachDecisionOnce) {
  Engine engine{Engine::Config{.builtins = false, .log_choices = true}};
  engine.add(std::make_shared<FakeBackend>("only"));
  testing::internal::CaptureStderr();
  for (int repeat = 0; repeat < 3; ++repeat) engine.plan(causal_problem(), Extents::padded(3, 4, 5), 2);
  engine.plan(causal_problem(), Extents::padded(3, 4, 6), 1);
  EXPECT_EQ(
      testing::internal::GetCapturedStderr(),
      "attune: select: only (generic, 2 threads) for q [3, 2, 4, 8], k [3, 2, 5, 8], f32, causal: no built-in takes "
      "the problem; smallest estimate of the others\n"
      "attune: select: only (generic, 1 thread) for q [3, 2, 4, 8], k [3, 2, 6, 8], f32, causal: no built-in takes "
      "the problem; smallest estimate of the others\n");
}

TEST(Log, IsSilentUnlessAskedFor) {
  Engine engine{Engine::Config{}};
  testing::internal::CaptureStderr();
  engine.plan(causal_problem(), Extents::padded(3, 4, 5), 2);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Log, KnowsOnlyItsOwnWord) {
  setenv("ATTUNE_LOG", "select", 1);
  EXPECT_TRUE(Engine::Config::from_environment().log_choices);
  setenv("ATTUNE_LOG", "everything", 1);
  const std::string message = refusal([] { Engine::Config::from_environment(); });
  EXPECT_EQ(message, "ATTUNE_LOG: is \"everything\", must be \"select\" or empty");
  unsetenv("ATTUNE_LOG");
  EXPECT_FALSE(Engine::Config::from_environment().log_choices);
}

}  // namespace
}  // namespace attune
