// A built-in backend that comes back as a plugin: everything that the ABI carries, there and back.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/plugins/plugin_home.hpp"
#include "tests/unit/small_call.hpp"

namespace attune::test {
namespace {

class ExportedTiled : public testing::Test {
 protected:
  void SetUp() override {
    const PluginFile file = load_one(engine, ATTUNE_EXPORTED_TILED);
    ASSERT_EQ(file.state, PluginState::loaded) << file.reason;
    plugin = find(engine, "exported_tiled");
    builtin = find(engine, "tiled");
  }

  const PluginHome home;
  Engine engine{plain_config()};
  std::shared_ptr<const Backend> plugin, builtin;
};

TEST_F(ExportedTiled, SaysOfItselfWhatTheBuiltinSays) {
  EXPECT_EQ(plugin->description(), builtin->description());
  EXPECT_EQ(plugin->instruction_sets(), builtin->instruction_sets());
  EXPECT_EQ(plugin->parallel(), builtin->parallel());
  EXPECT_EQ(plugin->traits(), builtin->traits());
}

TEST_F(ExportedTiled, AnswersAndPlansAsTheBuiltinDoes) {
  const Problem plain{.heads = 4, .kv_heads = 2, .head_dim = 8, .value_dim = 6};
  Problem doubles = plain;
  doubles.query_dtype = DType::f64;
  const Extents extents = Extents::padded(2, 30, 50);
  for (const Problem& problem : {plain, doubles}) {
    std::string ours, theirs;
    EXPECT_EQ(plugin->supports(problem, extents, &theirs), builtin->supports(problem, extents, &ours));
    EXPECT_EQ(theirs, ours);
  }
  const Machine& machine = engine.machine();
  EXPECT_EQ(plugin->estimate(plain, extents, machine, 3), builtin->estimate(plain, extents, machine, 3));
  const auto ours = builtin->plan(plain, machine), theirs = plugin->plan(plain, machine);
  EXPECT_EQ(theirs->isa(), ours->isa());
  EXPECT_EQ(theirs->describe(extents, 3), ours->describe(extents, 3));
  EXPECT_EQ(theirs->workspace_bytes(extents, 3), ours->workspace_bytes(extents, 3));
}

/// One call with every option that does not exclude another.
void use_every_option(SmallCall& call) {
  call.options.causal = true;
  call.options.align = Align::per_batch(call.offsets_view());
  call.options.window_left = 3;
  call.options.softcap = 4;
  call.options.attn_mask = call.mask_view();
  call.set_block_mask();
  call.options.alibi_slopes = call.slopes_view();
  call.options.sinks = call.sinks_view();
  call.options.key_lengths = call.lengths_view();
  call.options.lse = call.lse_view();
  call.options.weights = call.weights_view();
}

void fill(SmallCall& call) {
  float x = 0;
  for (auto* values : {&call.query, &call.key, &call.value, &call.mask}) {
    std::generate(values->begin(), values->end(), [&x] { return x = x > 1 ? x - 1.9f : x + 0.37f; });
  }
  for (std::size_t i = 0; i < call.block_map.size(); ++i) call.block_map[i] = i % 3 != 0;
}

void expect_same_bits(Engine& engine, void (*set_up)(SmallCall&)) {
  SmallCall ours, theirs;
  for (SmallCall* call : {&ours, &theirs}) {
    fill(*call);
    set_up(*call);
    call->options.backend = call == &ours ? "tiled" : "exported_tiled";
    engine.attention(call->tensors, call->options);
  }
  EXPECT_EQ(ours.out, theirs.out);
  EXPECT_EQ(ours.lse, theirs.lse);
  EXPECT_EQ(ours.weights, theirs.weights);
}

TEST_F(ExportedTiled, ComputesTheSameBits) {
  expect_same_bits(engine, [](SmallCall&) {});
  expect_same_bits(engine, use_every_option);
  expect_same_bits(engine, [](SmallCall& call) { call.make_packed(); });
}

TEST_F(ExportedTiled, RunsOnTheHostsExecutor) {
  SmallCall call;
  fill(call);
  call.options.backend = "exported_tiled";
  const auto executor = make_executor(ATTUNE_TBB ? 3 : 1);
  engine.attention(call.tensors, call.options, executor.get());
  SmallCall alone;
  fill(alone);
  alone.options.backend = "tiled";
  engine.attention(alone.tensors, alone.options);
  EXPECT_EQ(call.out, alone.out);
}

TEST_F(ExportedTiled, APlanOutlivesItsEngine) {
  std::shared_ptr<const Plan> plan;
  SmallCall call;
  const Description described = describe(call.tensors, call.options);
  {
    Engine other(plain_config());
    ASSERT_EQ(load_one(other, ATTUNE_EXPORTED_TILED).state, PluginState::loaded);
    plan = other.plan(described.problem, described.extents, 1, {.backend = "exported_tiled"});
  }
  const Call bound = plan->bind(call.tensors, call.options);
  std::vector<std::byte> memory(bound.workspace_bytes(1) + workspace_alignment);
  void* aligned = memory.data();
  std::size_t room = memory.size();
  std::align(workspace_alignment, bound.workspace_bytes(1), aligned, room);
  InlineExecutor executor;
  EXPECT_EQ(bound.run({static_cast<std::byte*>(aligned), bound.workspace_bytes(1)}, executor), Status::ok);
  EXPECT_NEAR(call.out.front(), 2.0f, 1e-5f);
}

TEST_F(ExportedTiled, IsChosenOnlyWhenItIsForcedWhileABuiltinTakesTheProblem) {
  EXPECT_NE(engine.select(Problem{}, Extents{}, 1).backend, "exported_tiled");
  EXPECT_EQ(engine.select(Problem{}, Extents{}, 1, {.backend = "exported_tiled"}).backend, "exported_tiled");
}

TEST_F(ExportedTiled, IsThereForAConfigurationThatForcedItBeforeItWasLoaded) {
  Engine::Config config = plain_config();
  config.backend = "exported_tiled";
  Engine early(config);
  EXPECT_NE(refusal([&] { early.select(Problem{}, Extents{}, 1); }).find("unknown"), std::string::npos);
  ASSERT_EQ(load_one(early, ATTUNE_EXPORTED_TILED).state, PluginState::loaded);
  EXPECT_EQ(early.select(Problem{}, Extents{}, 1).backend, "exported_tiled");
}

}  // namespace
}  // namespace attune::test
