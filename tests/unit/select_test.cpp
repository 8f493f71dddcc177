// The rules of selection, on made-up machines and backends.
#include "engine/select.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/fake_backend.hpp"
#include "tests/unit/small_call.hpp"

namespace attune::detail {
namespace {

using test::FakeBackend;
using test::refusal;

Machine made_up_machine() {
  Machine machine;
  machine.isas = {Isa::sse2, Isa::avx2};
  machine.isa = Isa::avx2;
  machine.cores = 4;
  return machine;
}

class Select : public testing::Test {
 protected:
  FakeBackend& add(const char* name, double seconds, bool builtin) {
    auto backend = std::make_shared<FakeBackend>(name, seconds);
    FakeBackend& result = *backend;
    registry_ = with_backend(registry_, std::move(backend), builtin);
    return result;
  }
  /// The instruction sets are asked for when a backend is added.
  FakeBackend& add_with_isas(const char* name, double seconds, std::vector<Isa> isas) {
    auto backend = std::make_shared<FakeBackend>(name, seconds);
    backend->isas = std::move(isas);
    FakeBackend& result = *backend;
    registry_ = with_backend(registry_, std::move(backend), true);
    return result;
  }

  Choice choose(Request request) {
    return choice_of(registry_, machines_, request, pick(registry_, machines_, request));
  }
  Request request() const { return {.problem = problem_, .extents = extents_, .threads = 3}; }
  Request forced(const char* backend) const {
    Request result = request();
    result.backend = backend;
    result.forced_by = "forced by a test";
    return result;
  }
  Request with_isa(Isa isa) const {
    Request result = request();
    result.isa = isa;
    return result;
  }
  Request reproducible() const {
    Request result = request();
    result.reproducible = true;
    return result;
  }

  Problem problem_;
  Extents extents_;
  Registry registry_;
  Machines machines_{made_up_machine()};
};

TEST_F(Select, TakesAWeakerInstructionSetWhereThatIsClearlyFaster) {
  FakeBackend& backend = add_with_isas("simd", 1, {Isa::sse2, Isa::avx2});
  backend.quick_isa = Isa::sse2;
  backend.quick_seconds = 0.8;
  EXPECT_EQ(choose(request()).isa, Isa::sse2);
  EXPECT_EQ(choose(with_isa(Isa::avx2)).isa, Isa::avx2);
  EXPECT_EQ(choose(forced("simd")).isa, Isa::avx2);
  EXPECT_EQ(choose(reproducible()).isa, Isa::avx2);
  backend.quick_seconds = 0.95;
  EXPECT_EQ(choose(request()).isa, Isa::avx2);
}

TEST_F(Select, TakesTheSmallestEstimate) {
  add("slow", 3, true);
  add("fast", 1, true);
  add("middling", 2, true);
  const Choice choice = choose(request());
  EXPECT_EQ(choice.backend, "fast");
  EXPECT_EQ(choice.rule, "smallest estimate");
  EXPECT_EQ(choice.threads, 3);
  ASSERT_EQ(choice.candidates.size(), 3u);
  EXPECT_EQ(choice.candidates[0].backend, "slow");
  EXPECT_TRUE(choice.candidates[0].eligible);
  EXPECT_EQ(choice.candidates[0].estimated_seconds, 3);
}

TEST_F(Select, TheFirstOfEqualsWins) {
  add("first", 1, true);
  add("second", 1, true);
  EXPECT_EQ(choose(request()).backend, "first");
}

TEST_F(Select, LeavesOutWhatDoesNotSupportTheProblemAndSaysWhy) {
  add("picky", 1, true).refused = "not on Tuesdays";
  add("willing", 2, true);
  const Choice choice = choose(request());
  EXPECT_EQ(choice.backend, "willing");
  EXPECT_FALSE(choice.candidates[0].eligible);
  EXPECT_EQ(choice.candidates[0].reason, "not on Tuesdays");
}

TEST_F(Select, RefusesWithEveryReasonWhenNobodySupportsTheProblem) {
  add("one", 1, true).refused = "no causal";
  add("two", 1, false).refused = "no floats";
  const std::string message = refusal([&] { choose(request()); }, ErrorCode::unsupported);
  EXPECT_NE(message.find("one: no causal"), std::string::npos) << message;
  EXPECT_NE(message.find("two: no floats"), std::string::npos) << message;
}

TEST_F(Select, TakesAnUntunedPluginOnlyWhereNoBuiltinWill) {
  FakeBackend& builtin = add("builtin", 5, true);
  add("plugin", 1e-9, false);
  EXPECT_EQ(choose(request()).backend, "builtin");
  builtin.refused = "cannot";
  const Choice choice = choose(request());
  EXPECT_EQ(choice.backend, "plugin");
  EXPECT_NE(choice.rule.find("no built-in"), std::string::npos) << choice.rule;
}

TEST_F(Select, ForcedIsUsedOrRefusedNeverReplaced) {
  add("fast", 1, true);
  FakeBackend& slow = add("slow", 9, false);
  const Choice choice = choose(forced("slow"));
  EXPECT_EQ(choice.backend, "slow");
  EXPECT_EQ(choice.rule, "forced by a test");
  slow.refused = "no softcap";
  const std::string message = refusal([&] { choose(forced("slow")); }, ErrorCode::unsupported);
  EXPECT_NE(message.find("slow: no softcap"), std::string::npos) << message;
  EXPECT_NE(message.find("forced by a test"), std::string::npos) << message;
  EXPECT_EQ(message.find("fast"), std::string::npos) << message;
}

TEST_F(Select, AnUnknownNameListsTheKnownOnes) {
  add("one", 1, true);
  add("two", 1, false);
  const std::string message = refusal([&] { choose(forced("three")); });
  EXPECT_EQ(message, "backend: \"three\" is unknown; there are one, two");
}

TEST_F(Select, ReproducibleFollowsAFixedOrderAndNoEstimate) {
  add("naive", 1e-9, true);
  FakeBackend& simd = add("simd", 1e-8, true);
  FakeBackend& tiled = add("tiled", 5, true);
  EXPECT_EQ(choose(reproducible()).backend, "tiled");
  tiled.refused = "no weights";
  EXPECT_EQ(choose(reproducible()).backend, "simd");
  simd.refused = "no weights";
  const Choice choice = choose(reproducible());
  EXPECT_EQ(choice.backend, "naive");
  EXPECT_NE(choice.rule.find("reproducible"), std::string::npos);
}

TEST_F(Select, ReproducibleNeverTakesAPlugin) {
  add("naive", 1, true).refused = "busy";
  add("other", 1, false);
  const std::string message = refusal([&] { choose(reproducible()); }, ErrorCode::unsupported);
  EXPECT_NE(message.find("other: not a built-in"), std::string::npos) << message;
}

TEST_F(Select, TheStrongestInstructionSetThatBothHaveIsUsed) {
  FakeBackend& backend = add_with_isas("kernels", 1, {Isa::sse2, Isa::avx2, Isa::avx512});
  EXPECT_EQ(choose(request()).isa, Isa::avx2);
  EXPECT_EQ(backend.last_isa, Isa::avx2);
}

TEST_F(Select, ABackendWithOnlyWeakerKernelsUsesThose) {
  FakeBackend& backend = add_with_isas("old", 1, {Isa::sse2});
  EXPECT_EQ(choose(request()).isa, Isa::sse2);
  EXPECT_EQ(backend.last_isa, Isa::sse2);
}

TEST_F(Select, ABackendWithoutKernelsForThisMachineIsNotEligible) {
  add_with_isas("foreign", 1, {Isa::neon});
  add("plain", 2, true);
  const Choice choice = choose(request());
  EXPECT_EQ(choice.backend, "plain");
  EXPECT_NE(choice.candidates[0].reason.find("no kernels"), std::string::npos);
}

TEST_F(Select, AForcedInstructionSetReachesEstimateAndChoice) {
  FakeBackend& backend = add_with_isas("kernels", 1, {Isa::sse2, Isa::avx2});
  EXPECT_EQ(choose(with_isa(Isa::sse2)).isa, Isa::sse2);
  EXPECT_EQ(backend.last_isa, Isa::sse2);
}

TEST_F(Select, AForcedInstructionSetIsNoErrorForABackendWithoutKernels) {
  FakeBackend& plain = add("plain", 1, true);
  const Choice choice = choose(with_isa(Isa::sse2));
  EXPECT_EQ(choice.backend, "plain");
  EXPECT_EQ(choice.isa, Isa::generic);
  EXPECT_EQ(plain.last_isa, Isa::sse2);
}

TEST_F(Select, AForcedInstructionSetThatABackendLacksMakesItIneligible) {
  add_with_isas("old", 1, {Isa::sse2});
  const std::string message = refusal([&] { choose(with_isa(Isa::avx2)); }, ErrorCode::unsupported);
  EXPECT_NE(message.find("old: it has no kernels for the forced instruction set"), std::string::npos) << message;
}

TEST(Machines, AnUnknownInstructionSetListsTheKnown) {
  const Machines machines(made_up_machine());
  const std::string message = refusal([&] { machines.forced("avx1024"); });
  for (const char* word : {"isa:", "avx1024", "sse2", "avx2", "avx512", "avx512_bf16", "neon"}) {
    EXPECT_NE(message.find(word), std::string::npos) << message;
  }
}

TEST(Machines, AnInstructionSetThatIsNotHereListsTheAvailable) {
  const Machines machines(made_up_machine());
  const std::string message = refusal([&] { machines.forced("avx512"); }, ErrorCode::unsupported);
  EXPECT_EQ(message, "isa: \"avx512\" is not available on this machine; available are sse2, avx2");
}

TEST(Machines, KnowEveryNameBothWays) {
  for (const Isa isa : {Isa::generic, Isa::sse2, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::neon}) {
    EXPECT_EQ(parse_isa(name(isa)), isa);
  }
  EXPECT_EQ(parse_isa("AVX2"), std::nullopt);
  EXPECT_EQ(parse_isa(""), std::nullopt);
}

}  // namespace
}  // namespace attune::detail
