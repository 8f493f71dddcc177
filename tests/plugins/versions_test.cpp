// Plugins of other versions of the ABI, and of other compilers, in this host.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "engine/plugins/adapter.hpp"
#include "engine/plugins/library.hpp"
#include "tests/plugins/plugin_home.hpp"
#include "tests/unit/small_call.hpp"

namespace attune::test {
namespace {

void expect_it_computes(Engine& engine, const char* backend) {
  SmallCall ours, theirs;
  for (std::size_t i = 0; i < ours.value.size(); ++i) {
    ours.value[i] = theirs.value[i] = static_cast<float>(i % 7);
    ours.key[i % ours.key.size()] = theirs.key[i % ours.key.size()] = static_cast<float>(i % 5) / 8;
  }
  ours.options.backend = "naive";
  theirs.options.backend = backend;
  engine.attention(ours.tensors, ours.options);
  engine.attention(theirs.tensors, theirs.options);
  // Both compute in double and round once: no value is larger than 6, so an ulp is at most 2⁻²¹.
  for (std::size_t i = 0; i < ours.out.size(); ++i) EXPECT_NEAR(theirs.out[i], ours.out[i], 0x1p-21f) << i;
}

#ifdef ATTUNE_FROZEN_PLUGIN
TEST(FrozenPlugin, KeepsWorking) {
  const PluginHome home;
  Engine engine(plain_config());
  const PluginFile file = load_one(engine, ATTUNE_FROZEN_PLUGIN);
  ASSERT_EQ(file.state, PluginState::loaded) << file.reason;
  expect_it_computes(engine, "frozen");
  EXPECT_EQ(find(engine, "frozen")->traits(), TraitSet());
}

TEST(FrozenPlugin, IsNeverOfferedALaterOptionAndTheReasonSaysSo) {
  std::string reason;
  const auto plugin = detail::open_plugin(ATTUNE_FROZEN_PLUGIN, reason);
  ASSERT_TRUE(plugin) << reason;
  // As if its header were from before block_mask: to this host a bit is later if the plugin does not know it.
  const auto older = std::make_shared<detail::Plugin>(*plugin);
  older->table.features &= ~static_cast<std::uint64_t>(Feature::block_mask);
  older->table.supports = [](void*, const attune_problem* problem, const attune_extents*, char*, std::uint64_t) {
    return (problem->features & ATTUNE_FEATURE_BLOCK_MASK) == 0 ? 1 : throw "offered";
  };
  const auto backend = detail::adapt(older);
  Problem later;
  later.block_mask = true;
  EXPECT_FALSE(backend->supports(later, Extents{}, nullptr));
  EXPECT_FALSE(backend->supports(later, Extents{}, &reason));
  EXPECT_EQ(reason, "it was built for a version of Attune that does not know block_mask");
  EXPECT_TRUE(backend->supports(Problem{}, Extents{}, &reason));
}

TEST(FrozenPlugin, AnswersAHostOfALaterVersion) {
  std::string reason;
  ASSERT_TRUE(detail::open_plugin(ATTUNE_FROZEN_PLUGIN, reason)) << reason;
  struct LaterHost {
    attune_host now;
    std::uint64_t more[16];
  };
  LaterHost host{detail::host_services("a later host"), {1, 2, 3}};
  host.now.head.struct_size = sizeof host;
  host.now.head.abi_minor = ATTUNE_ABI_MINOR + 5;
  void* library = dlopen(ATTUNE_FROZEN_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  const auto query = reinterpret_cast<attune_query_function>(dlsym(library, ATTUNE_ABI_QUERY));
  detail::Plugin plugin;
  EXPECT_EQ(detail::query_plugin(query, host.now, plugin), "");
  host.now.head.abi_major = host.now.oldest_major = ATTUNE_ABI_MAJOR + 1;  // one that has given up its ABI
  EXPECT_NE(detail::query_plugin(query, host.now, plugin).find("refuses this host: another ABI"), std::string::npos);
}

TEST(LaterPlugin, WorksInAHostThatIsOlder) {
  const PluginHome home;
  Engine engine(plain_config());
  const PluginFile file = load_one(engine, ATTUNE_LATER_PLUGIN);
  ASSERT_EQ(file.state, PluginState::loaded) << file.reason;
  EXPECT_EQ(find(engine, "later")->traits(), TraitSet::all());
  EXPECT_TRUE(find(engine, "later")->instruction_sets().empty());
  expect_it_computes(engine, "later");
}

TEST(LaterPlugin, WithKernelsForUnknownInstructionSetsAloneIsRefused) {
  const PluginHome home;
  Engine engine(plain_config());
  const PluginFile file = load_one(engine, ATTUNE_LATER_ISA_PLUGIN);
  EXPECT_EQ(file.state, PluginState::refused);
  EXPECT_NE(file.reason.find("instruction sets"), std::string::npos) << file.reason;
}
#else
TEST(FrozenPlugin, KeepsWorking) { GTEST_SKIP() << "there is no C compiler to build it"; }
#endif

TEST(ShimmedPlugin, RefusesAHostOfAnotherAbi) {
  std::string reason;
  ASSERT_TRUE(detail::open_plugin(hostile_plugin("none"), reason)) << reason;
  void* library = dlopen(hostile_plugin("none").c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto query = reinterpret_cast<attune_query_function>(dlsym(library, ATTUNE_ABI_QUERY));
  detail::Plugin plugin;
  attune_host host = detail::host_services("another host");
  EXPECT_EQ(detail::query_plugin(query, host, plugin), "");
  host.head.abi_major = host.oldest_major = ATTUNE_ABI_MAJOR + 1;
  EXPECT_NE(detail::query_plugin(query, host, plugin).find("speaks plugin ABI 1, the host 2 to 2"), std::string::npos);
  host = detail::host_services("a small host");
  host.head.struct_size = attune_host_size_1_0 - 8;
  EXPECT_NE(detail::query_plugin(query, host, plugin).find("too small"), std::string::npos);
}

TEST(CrossCompiledPlugin, WorksWithItsOwnRuntime) {
#ifdef ATTUNE_CROSS_PLUGIN
  const PluginHome home;
  Engine engine(plain_config());
  const PluginFile file = load_one(engine, ATTUNE_CROSS_PLUGIN);
  ASSERT_EQ(file.state, PluginState::loaded) << file.reason;
#ifdef __clang__
  EXPECT_EQ(find(engine, "cross_compiled")->description(), "built by g++");
#else
  EXPECT_EQ(find(engine, "cross_compiled")->description(), "built by clang++");
#endif
  testing::internal::CaptureStderr();
  expect_it_computes(engine, "cross_compiled");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "attune: cross_compiled.so: planned across the border\n");
  Problem unlucky;
  unlucky.head_dim = 13;
  const std::string message =
      refusal([&] { engine.plan(unlucky, Extents{}, 1, {.backend = "cross_compiled"}); }, ErrorCode::backend_failed);
  EXPECT_NE(message.find("thrown by the other runtime"), std::string::npos) << message;
#else
  GTEST_SKIP() << "there is no second compiler here";
#endif
}

TEST(CrossCompiledHost, TakesThePluginsOfThisCompilerThroughACall) {
#ifdef ATTUNE_CROSS_HOST
  const PluginHome home;
  setenv("ATTUNE_PLUGIN_PROBE", ATTUNE_CROSS_HOST, 1);
  Engine engine(plain_config());
  EXPECT_EQ(load_one(engine, hostile_plugin("none")).reason, "");
  EXPECT_NE(load_one(engine, hostile_plugin("throws_in_plan")).reason.find("thrown by plan()"), std::string::npos);
  EXPECT_NE(load_one(engine, hostile_plugin("throws_at_query")).reason.find("thrown by the c"), std::string::npos);
  EXPECT_NE(load_one(engine, hostile_plugin("writes_nothing")).reason.find("wrote nothing"), std::string::npos);
  EXPECT_EQ(find(engine, "none")->name(), "none");
#else
  GTEST_SKIP() << "there is no second compiler here, or plugins are built with a sanitizer";
#endif
}

}  // namespace
}  // namespace attune::test
