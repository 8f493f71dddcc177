// Plugins in tuning: loaded from a file, measured like any other, remembered by name and version.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "tests/plugins/plugin_home.hpp"
#include "tests/unit/small_call.hpp"

namespace attune::test {
namespace {

/// naive, and then two milliseconds of nothing.
class SlowPlan final : public Plan {
 public:
  explicit SlowPlan(std::shared_ptr<const Plan> naive) : Plan(naive->problem()), naive_(std::move(naive)) {}
  std::size_t workspace_bytes(const Extents& extents, int threads) const noexcept override {
    return naive_->workspace_bytes(extents, threads);
  }
  Status execute(const Arguments& arguments, std::span<std::byte> workspace,
                 Executor& executor) const noexcept override {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    const Status status = naive_->execute(arguments, workspace, executor);
    while (std::chrono::steady_clock::now() < end) {
    }
    return status;
  }
  std::string describe(const Extents&, int) const override { return "slow"; }

 private:
  std::shared_ptr<const Plan> naive_;
};

class Slow final : public Backend {
 public:
  std::string_view name() const noexcept override { return "slow"; }
  std::string_view description() const noexcept override { return "made up"; }
  bool supports(const Problem&, const Extents&, std::string*) const override { return true; }
  double estimate(const Problem&, const Extents&, const Machine&, int) const noexcept override { return 0; }
  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine& machine) const override {
    return std::make_shared<SlowPlan>(naive_->plan(problem, machine));
  }

 private:
  std::shared_ptr<const Backend> naive_ = Engine(Engine::Config{}).backends().front();
};

class TunedPlugin : public testing::Test {
 protected:
  TunedPlugin() {
    config_ = plain_config();
    config_.builtins = false;
    config_.wisdom = home_.folder().path("wisdom.json");
  }

  /// An engine with the slow backend, which it chooses by estimate, and maybe a plugin.
  std::unique_ptr<Engine> engine_with(const std::string& plugin) const {
    auto engine = std::make_unique<Engine>(config_);
    engine->add(std::make_shared<Slow>());
    if (!plugin.empty()) {
      EXPECT_EQ(load_one(*engine, plugin).state, PluginState::loaded);
    }
    return engine;
  }
  TuneResult tune(Engine& engine) const {
    const auto [problem, extents] = describe(call_.tensors, call_.options);
    return engine.tune(problem, extents, {.threads = 1, .budget_seconds = 20, .progress = {}});
  }
  Choice choice(const Engine& engine) const {
    const auto [problem, extents] = describe(call_.tensors, call_.options);
    return engine.select(problem, extents, 1);
  }

  PluginHome home_;
  Engine::Config config_;
  SmallCall call_;
};

TEST_F(TunedPlugin, ThatIsFasterWinsAndIsRemembered) {
  const std::string file = home_.copy(hostile_plugin("none"), "plugins/none.so");
  {
    const auto engine = engine_with(file);
    EXPECT_EQ(choice(*engine).backend, "slow");
    const TuneResult result = tune(*engine);
    EXPECT_EQ(result.winner.backend, "none") << result.why;
    EXPECT_TRUE(result.learned);
  }
  const auto later = engine_with(file);
  EXPECT_EQ(later->wisdom_note(), "");
  EXPECT_EQ(choice(*later).backend, "none");
  EXPECT_NE(choice(*later).rule.find("measured"), std::string::npos);
  later->attention(call_.tensors, call_.options);
  EXPECT_FALSE(call_.outputs_untouched());
}

TEST_F(TunedPlugin, ThatIsGoneIsPassedOver) {
  tune(*engine_with(hostile_plugin("none")));
  const auto without = engine_with("");
  EXPECT_EQ(without->wisdom_note(), "");
  ASSERT_EQ(without->wisdom().size(), 1u);
  EXPECT_EQ(without->wisdom()[0].winner.backend, "none");
  EXPECT_EQ(choice(*without).backend, "slow");
}

TEST_F(TunedPlugin, ThatWasBuiltAgainIsPassedOver) {
  const std::string file = home_.copy(hostile_plugin("none"), "plugins/none.so");
  tune(*engine_with(file));
  const std::string again = home_.copy(hostile_plugin("none"), "later/none.so");
  std::ofstream(again, std::ios::app | std::ios::binary) << '\0';
  EXPECT_EQ(choice(*engine_with(again)).backend, "slow");
}

TEST_F(TunedPlugin, ThatIsWrongNeverWins) {
  // In one row of calls larger than those of the probe; tuning looks at rows 0, 7, 14 and 21 of 22.
  const auto engine = engine_with(hostile_plugin("wrong_row"));
  const Problem problem = describe(call_.tensors, call_.options).problem;
  const TuneResult result =
      engine->tune(problem, Extents::padded(2, 22, 22), {.threads = 1, .budget_seconds = 20, .progress = {}});
  EXPECT_EQ(result.winner.backend, "slow");
  ASSERT_EQ(result.measurements.size(), 2u);
  EXPECT_NE(result.measurements[1].verdict.find("definition"), std::string::npos) << result.measurements[1].verdict;
}

}  // namespace
}  // namespace attune::test
