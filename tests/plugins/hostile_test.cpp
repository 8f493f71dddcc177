// Every hostile plugin, loaded: what becomes of it, and that this process is none the worse for it.
#include <gtest/gtest.h>

#include <atomic>
#include <cfenv>
#include <limits>
#include <ostream>
#include <vector>

#include "tests/plugins/plugin_home.hpp"
#include "tests/unit/small_call.hpp"

namespace attune::test {
namespace {

struct Expectation {
  const char* fault;
  PluginState state;
  const char* words;  // that the reason holds
  friend std::ostream& operator<<(std::ostream& out, const Expectation& e) { return out << e.fault; }
};

constexpr auto loaded = PluginState::loaded, refused = PluginState::refused, quarantined = PluginState::quarantined;

const std::vector<Expectation> expectations{
    {"none", loaded, ""},
    {"wrong_magic", refused, "magic"},
    {"size_zero", refused, "size of 0 bytes"},
    {"size_small", refused, "size of 120 bytes"},
    {"size_odd", refused, "size of 129 bytes"},
    {"size_huge", refused, "size of 4294967288 bytes"},
    {"version_new", refused, "plugin ABI 2.0"},
    {"version_old", refused, "plugin ABI 0.0"},
    {"null_answer", refused, "without saying why"},
    {"null_name", refused, "name"},
    {"null_supports", refused, "supports is null"},
    {"null_estimate", refused, "estimate is null"},
    {"null_plan_create", refused, "plan_create is null"},
    {"null_plan_destroy", refused, "plan_destroy is null"},
    {"null_workspace_bytes", refused, "workspace_bytes is null"},
    {"null_execute", refused, "execute is null"},
    {"null_describe", refused, "describe is null"},
    {"bad_name", refused, "a-z, 0-9, _ and -"},
    {"builtin_name", refused, "\"tiled\" is taken"},
    {"twin_a", loaded, ""},
    {"same_class_a", loaded, ""},
    {"garbage_supports", loaded, ""},
    {"garbage_estimate", loaded, ""},
    {"garbage_status", refused, "could not compute"},
    {"garbage_workspace", refused, "18446744073709551615 bytes"},
    {"no_plan", refused, "made no plan"},
    {"claims_nothing", loaded, ""},
    {"endless_text", loaded, ""},
    {"throws_at_query", refused, "thrown by the constructor"},
    {"throws_through_query", quarantined, "while it was loaded"},
    {"throws_in_supports", loaded, ""},
    {"throws_in_plan", refused, "thrown by plan()"},
    {"throws_in_static", quarantined, "while it was loaded"},
    {"aborts_at_load", quarantined, "while it was loaded"},
    {"exits_at_load", quarantined, "while it was loaded"},
    {"segfaults_in_static", quarantined, "while it was loaded"},
    {"segfaults_at_query", quarantined, "while it was loaded"},
    {"segfaults_in_supports", quarantined, "in supports()"},
    {"segfaults_in_estimate", quarantined, "in estimate()"},
    {"segfaults_in_plan", quarantined, "in plan()"},
    {"segfaults_in_describe", quarantined, "in describe()"},
    {"segfaults_in_execute", quarantined, "in execute()"},
    {"segfaults_at_destroy", quarantined, "destroying a plan"},
    {"leaks_threads", loaded, "threads of its own"},
    {"prints_a_megabyte", loaded, ""},
    {"forks_at_load", loaded, ""},
    {"segfaults_beside_a_fork", quarantined, "while it was loaded"},
    {"segfaults_at_exit", quarantined, "at the end of its process"},
    {"throws_in_execute", quarantined, "in execute()"},
    {"exits_in_execute", quarantined, "in execute()"},
    {"changes_folder", refused, "changes the working directory"},
    {"changes_locale", refused, "changes the locale"},
    {"closes_stdin", refused, "changes standard input"},
    {"catches_signals", refused, "changes what happens at SIGINT"},
    {"blocks_signals", refused, "changes whether SIGINT is blocked"},
    {"changes_rounding", loaded, ""},
    {"writes_past_output", refused, "outside of its output"},
    {"writes_past_workspace", refused, "outside of its workspace"},
    {"writes_nothing", refused, "wrote nothing"},
    {"wrong_row", loaded, ""},
};

void expect_the_host_is_well(Engine& engine) {
  SmallCall call;
  call.options.backend = "tiled";
  engine.attention(call.tensors, call.options);
  EXPECT_NEAR(call.out.front(), 2.0f, 1e-5f);  // every value is 2
}

class Hostile : public testing::TestWithParam<Expectation> {
 protected:
  const PluginHome home;
};

TEST_P(Hostile, HasItsVerdictWhenItIsLoaded) {
  Engine engine(plain_config());
  testing::internal::CaptureStdout();  // one of them prints a lot
  const PluginFile file = load_one(engine, hostile_plugin(GetParam().fault));
  testing::internal::GetCapturedStdout();
  EXPECT_EQ(file.state, GetParam().state) << name(file.state) << ": " << file.reason;
  EXPECT_NE(file.reason.find(GetParam().words), std::string::npos) << file.reason;
  EXPECT_EQ(file.backend.empty(), file.state != loaded);
  EXPECT_EQ(engine.backends().size(), file.state == loaded ? 4u : 3u);
  expect_the_host_is_well(engine);
}

TEST_P(Hostile, KeepsItsVerdict) {
  testing::internal::CaptureStdout();
  PluginFile first, again;
  {
    Engine engine(plain_config());
    first = load_one(engine, home.copy(hostile_plugin(GetParam().fault), "data/attune/plugins/it.so"));
  }
  setenv("ATTUNE_PLUGIN_PROBE", "/nowhere/probe", 1);  // what is known needs no probe
  Engine engine(plain_config());
  for (const PluginFile& file : engine.load_plugins().files) {
    if (file.path == first.path) again = file;
  }
  testing::internal::GetCapturedStdout();
  EXPECT_EQ(again.state, first.state);
  EXPECT_EQ(again.reason, first.reason);
}

std::string name_of(const testing::TestParamInfo<Expectation>& info) { return info.param.fault; }
INSTANTIATE_TEST_SUITE_P(Plugin, Hostile, testing::ValuesIn(expectations), name_of);

TEST(HostilePlugin, ThatHangsIsRefusedOnceAndQuarantinedTheSecondTime) {
  for (const char* fault : {"hangs_at_load", "hangs_in_supports", "hangs_in_execute"}) {
    const PluginHome home;
    Engine engine(plain_config());
    const auto limit = std::chrono::milliseconds(500);
    const PluginFile first = load_one(engine, hostile_plugin(fault), limit);
    EXPECT_EQ(first.state, refused) << fault << first.reason;
    EXPECT_NE(first.reason.find("still busy after 500 ms"), std::string::npos) << first.reason;
    EXPECT_EQ(load_one(engine, hostile_plugin(fault), limit).state, quarantined);
    EXPECT_EQ(engine.backends().size(), 3u);
    expect_the_host_is_well(engine);
  }
}

TEST(HostilePlugin, TwoWithOneNameTheFirstStays) {
  const PluginHome home;
  Engine engine(plain_config());
  EXPECT_EQ(load_one(engine, hostile_plugin("twin_a")).state, loaded);
  const PluginFile second = load_one(engine, hostile_plugin("twin_b"));
  EXPECT_EQ(second.state, refused);
  EXPECT_NE(second.reason.find("\"twin\" is taken"), std::string::npos) << second.reason;
}

std::string describe_a_plan(const Engine& engine, const char* backend) {
  return find(engine, backend)->plan(Problem{}, engine.machine())->describe(Extents{}, 1);
}

TEST(HostilePlugin, TwoWithOneClassNameShareNoStaticOrTemplateState) {
  const PluginHome home;
  Engine engine(plain_config());
  ASSERT_EQ(load_one(engine, hostile_plugin("same_class_a")).state, loaded);
  ASSERT_EQ(load_one(engine, hostile_plugin("same_class_b")).state, loaded);
  EXPECT_EQ(describe_a_plan(engine, "same_class_a"), "1 and 1");
  EXPECT_EQ(describe_a_plan(engine, "same_class_a"), "2 and 2");
  EXPECT_EQ(describe_a_plan(engine, "same_class_b"), "1 and 1");
}

/// How the calling thread rounds, and what it makes of a subnormal number.
bool rounds_as_usual() {
  volatile float tiny = std::numeric_limits<float>::min();
  volatile float half = tiny / 2;
  return std::fegetround() == FE_TONEAREST && half != 0 && half * 2 == tiny;
}

TEST(HostilePlugin, KeepsItsFloatingPointModeToItself) {
  const PluginHome home;
  const auto executor = make_executor(ATTUNE_TBB ? 3 : 1);
  const auto all_round_as_usual = [&executor] {
    std::atomic<int> usual = 0;
    const auto task = [&usual](std::int64_t, int) noexcept { usual += rounds_as_usual(); };
    executor->parallel_for(1000, task);
    return rounds_as_usual() && usual == 1000;
  };
  Engine engine(plain_config());
  ASSERT_EQ(load_one(engine, hostile_plugin("changes_rounding")).state, loaded);
  EXPECT_TRUE(all_round_as_usual());
  SmallCall call;
  call.options.backend = "changes_rounding";
  engine.attention(call.tensors, call.options, executor.get());
  EXPECT_NEAR(call.out.front(), 2.0f, 1e-5f);
  EXPECT_TRUE(all_round_as_usual());
}

TEST(HostilePlugin, AnswersThatMeanNothingAreNo) {
  const PluginHome home;
  Engine engine(plain_config());
  for (const char* fault : {"garbage_supports", "endless_text", "throws_in_supports"}) {
    ASSERT_EQ(load_one(engine, hostile_plugin(fault)).state, loaded);
    std::string reason;
    EXPECT_FALSE(find(engine, fault)->supports(Problem{}, Extents{}, &reason)) << fault;
    EXPECT_EQ(reason.find('\n'), std::string::npos);
    EXPECT_FALSE(find(engine, fault)->supports(Problem{}, Extents{}, nullptr)) << fault;
  }
  std::string reason;
  find(engine, "garbage_supports")->supports(Problem{}, Extents{}, &reason);
  EXPECT_EQ(reason, "it answered 42, which is neither yes nor no");
  find(engine, "throws_in_supports")->supports(Problem{}, Extents{}, &reason);
  EXPECT_EQ(reason, "thrown by supports()");
  ASSERT_EQ(load_one(engine, hostile_plugin("garbage_estimate")).state, loaded);
  EXPECT_EQ(find(engine, "garbage_estimate")->estimate(Problem{}, Extents{}, engine.machine(), 1),
            std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace attune::test
