// Engine::tune: who wins, what is kept, and what later calls make of it.
#include <gtest/gtest.h>

#include <attune/engine.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/wisdom/json.hpp"
#include "tests/support/executors.hpp"
#include "tests/unit/small_call.hpp"

namespace attune {
namespace {

using test::refusal;

/// Computes as naive does, but takes its time, or a wrong turn.
class SlowPlan final : public Plan {
 public:
  SlowPlan(std::shared_ptr<const Plan> naive, double seconds, bool wrong, std::shared_ptr<std::atomic<int>> runs_left)
      : Plan(naive->problem()),
        naive_(std::move(naive)),
        seconds_(seconds),
        wrong_(wrong),
        runs_left_(std::move(runs_left)) {}

  std::size_t workspace_bytes(const Extents& extents, int threads) const noexcept override {
    return naive_->workspace_bytes(extents, threads);
  }
  Status execute(const Arguments& arguments, std::span<std::byte> workspace,
                 Executor& executor) const noexcept override {
    if (--*runs_left_ < 0) return Status::failed;
    const Status status = naive_->execute(arguments, workspace, executor);
    if (wrong_) arguments.out.as<float>()[0] += 1;
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds_);
    while (std::chrono::steady_clock::now() < end) {
    }
    return status;
  }
  std::string describe(const Extents&, int) const override { return "takes " + std::to_string(seconds_); }

 private:
  std::shared_ptr<const Plan> naive_;
  double seconds_;
  bool wrong_;
  std::shared_ptr<std::atomic<int>> runs_left_;
};

struct Slow final : Backend {
  Slow(std::string own_name, double own_seconds, double own_estimate)
      : naive(Engine(Engine::Config{}).backends().front()),
        backend_name(std::move(own_name)),
        seconds(own_seconds),
        estimated(own_estimate) {}

  std::string_view name() const noexcept override { return backend_name; }
  std::string_view description() const noexcept override { return "made up"; }
  std::string_view version() const noexcept override { return backend_version; }
  bool supports(const Problem& problem, const Extents& extents, std::string* reason) const override {
    return extents.keys <= most_keys || (naive->supports(problem, extents, reason) && refuse(reason, "too long"));
  }
  double estimate(const Problem&, const Extents&, const Machine&, int) const noexcept override { return estimated; }
  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine& machine) const override {
    if (no_plan) throw Error(ErrorCode::backend_failed, "has a bad day");
    return std::make_shared<SlowPlan>(naive->plan(problem, machine), seconds, wrong, runs_left);
  }

  std::span<const std::string_view> tilings() const noexcept override { return other_ways; }
  std::shared_ptr<const Plan> plan_as(std::string_view tiling, const Problem& problem,
                                      const Machine& machine) const override {
    if (tiling.empty()) return plan(problem, machine);
    return std::make_shared<SlowPlan>(naive->plan(problem, machine), tiling == "quick" ? quick_seconds : seconds, wrong,
                                      runs_left);
  }

  static constexpr double quick_seconds = 2e-4;
  std::vector<std::string_view> other_ways;
  std::shared_ptr<const Backend> naive;
  std::string backend_name, backend_version;
  double seconds, estimated;
  std::int64_t most_keys = 1000;
  bool wrong = false, no_plan = false;
  std::shared_ptr<std::atomic<int>> runs_left = std::make_shared<std::atomic<int>>(1'000'000'000);  // then it fails
};

class Tune : public testing::Test {
 protected:
  Tune() {
    std::string pattern = testing::TempDir() + "attune-tune-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~Tune() override { std::filesystem::remove_all(folder_); }

  std::string file() const { return folder_ / "wisdom.json"; }
  Engine::Config config() const { return {.builtins = false, .wisdom = file()}; }

  static Problem problem() {
    Problem p;
    p.heads = p.kv_heads = 2;
    p.head_dim = p.value_dim = 8;
    return p;
  }
  static constexpr Extents extents() { return {1, 4, 6, 4, 6}; }
  static constexpr double quick = 2e-4, slow = 2e-3;

  static std::shared_ptr<Slow> add(Engine& engine, const char* name, double seconds, double estimate) {
    const auto backend = std::make_shared<Slow>(name, seconds, estimate);
    engine.add(backend);
    return backend;
  }
  static std::string chosen(const Engine& engine, const Selection& selection = {}, Extents e = extents()) {
    return engine.select(problem(), e, engine_threads, selection).backend;
  }
  /// One thread: the made-up backends use no more.
  static constexpr int engine_threads = 1;
  static TuneOptions options() { return {.threads = engine_threads, .budget_seconds = 20, .progress = {}}; }

  std::filesystem::path folder_;
};

TEST_F(Tune, TheFasterOneWinsAgainstItsEstimate) {
  Engine engine(config());
  add(engine, "default", slow, 1);
  add(engine, "faster", quick, 2);
  EXPECT_EQ(chosen(engine), "default");
  const TuneResult result = engine.tune(problem(), extents(), options());
  EXPECT_EQ(result.winner, (Variant{"faster", Isa::generic, 1}));
  EXPECT_NE(result.why.find("measured twice to be faster than default"), std::string::npos) << result.why;
  EXPECT_TRUE(result.learned);
  EXPECT_EQ(result.note, "");
  ASSERT_EQ(result.measurements.size(), 2u);
  EXPECT_EQ(result.measurements[0].verdict, "the fastest");
  EXPECT_GT(result.measurements[0].samples, 0);
  EXPECT_GT(result.measurements[1].seconds, result.measurements[0].seconds);
  const Choice choice = engine.select(problem(), extents(), engine_threads);
  EXPECT_EQ(choice.backend, "faster");
  EXPECT_NE(choice.rule.find("measured"), std::string::npos);
  ASSERT_TRUE(choice.candidates[1].measured);
  EXPECT_EQ(choice.candidates[1].measured->seconds, result.measurements[0].seconds);
  EXPECT_EQ(choice.measurements.size(), 2u);
}

TEST_F(Tune, EqualsChangeNothing) {
  Engine engine(config());
  add(engine, "default", quick, 1);
  add(engine, "other", quick, 2);
  EXPECT_EQ(engine.tune(problem(), extents(), options()).winner.backend, "default");
  EXPECT_EQ(chosen(engine), "default");
}

TEST_F(Tune, AWrongResultNeverWins) {
  Engine engine(config());
  add(engine, "default", slow, 1);
  add(engine, "wrong", quick / 2, 2)->wrong = true;
  add(engine, "right", quick, 3);
  const TuneResult result = engine.tune(problem(), extents(), options());
  EXPECT_EQ(result.winner.backend, "right");
  for (const Measurement& m : result.measurements) {
    if (m.variant.backend != "wrong") continue;
    EXPECT_NE(m.verdict.find("definition"), std::string::npos) << m.verdict;
  }
}

TEST_F(Tune, OneThatFailsWhileItIsTimedNeverWins) {
  Engine engine(config());
  add(engine, "default", slow, 1);
  *add(engine, "tired", slow, 2)->runs_left = 2;  // those that warm it up
  const TuneResult result = engine.tune(problem(), extents(), options());
  EXPECT_EQ(result.winner.backend, "default");
  EXPECT_EQ(result.measurements.front().variant.backend, "default");
  EXPECT_EQ(result.measurements.back().verdict, "it could not finish each time");
}

TEST_F(Tune, AWrongDefaultIsAnError) {
  Engine engine(config());
  add(engine, "default", quick, 1)->wrong = true;
  const std::string message = refusal([&] { engine.tune(problem(), extents(), options()); }, ErrorCode::backend_failed);
  EXPECT_NE(message.find("default"), std::string::npos) << message;
}

TEST_F(Tune, OneThatFailsToPlanIsLeftOut) {
  Engine engine(config());
  add(engine, "default", quick, 1);
  add(engine, "moody", quick, 2)->no_plan = true;
  const TuneResult result = engine.tune(problem(), extents(), options());
  EXPECT_EQ(result.winner.backend, "default");
  EXPECT_EQ(result.measurements.back().verdict, "not measured: has a bad day");
  EXPECT_EQ(result.measurements.back().samples, 0);
}

TEST_F(Tune, ATilingThatIsFasterWins) {
  Engine engine(config());
  add(engine, "default", slow, 1)->other_ways = {"the same", "quick"};
  const TuneResult result = engine.tune(problem(), extents(), options());
  EXPECT_EQ(result.winner, (Variant{"default", Isa::generic, 1, "quick"}));
  EXPECT_EQ(result.measurements.size(), 2u) << "one that makes the same plan is not measured";
  Engine later(config());
  EXPECT_EQ(later.wisdom_note(), "");
  const auto backend = add(later, "default", slow, 1);
  EXPECT_EQ(later.select(problem(), extents(), engine_threads).tiling, "") << "it knows no such tiling";
  backend->other_ways = {"quick"};
  EXPECT_EQ(later.select(problem(), extents(), engine_threads).tiling, "quick");
  EXPECT_EQ(later.explain(problem(), extents(), engine_threads).plan, "takes " + std::to_string(quick));
}

TEST_F(Tune, ReproducibleTriesNoOtherTiling) {
  Engine engine{Engine::Config{.wisdom = file()}};
  const TuneResult result = engine.tune(problem(), extents(), options(), {.reproducible = true});
  const Choice choice = engine.select(problem(), extents(), engine_threads, {.reproducible = true});
  for (const Measurement& m : result.measurements) EXPECT_EQ(m.variant.tiling, choice.tiling);
}

TEST_F(Tune, IsRememberedByLaterEngines) {
  {
    Engine engine(config());
    add(engine, "default", slow, 1);
    add(engine, "faster", quick, 2);
    engine.tune(problem(), extents(), options());
  }
  Engine later(config());
  add(later, "default", slow, 1);
  add(later, "faster", quick, 2);
  EXPECT_EQ(chosen(later), "faster");
  EXPECT_EQ(later.wisdom_note(), "");
  ASSERT_EQ(later.wisdom().size(), 1u);
  EXPECT_EQ(later.wisdom()[0].problem, "q [1, 2, 4, 8], k [1, 2, 8, 8], f32");
  EXPECT_EQ(later.wisdom()[0].winner.backend, "faster");
}

class Remembered : public Tune {
 protected:
  Remembered() : engine_(config()) {
    default_ = add(engine_, "default", slow, 1);
    faster_ = add(engine_, "faster", quick, 2);
    EXPECT_EQ(engine_.import_wisdom(learned()), "");
  }

  /// What tune() would have learned, without a clock.
  std::string learned() const {
    detail::WisdomKey key{problem(), detail::buckets_of(problem(), extents()), engine_threads, "", std::nullopt};
    detail::WisdomEntry entry;
    entry.winner = {"faster", Isa::generic, 1};
    entry.measurements.push_back({entry.winner, quick, 0, 5, "the fastest"});
    entry.measurements.push_back({{"default", Isa::generic, 1}, slow, 0, 5, "slower"});
    detail::WisdomEntries entries;
    entries.emplace(key, entry);
    return detail::to_json(entries, detail::MachineDescription::of(engine_.machine()));
  }

  Engine engine_;
  std::shared_ptr<Slow> default_, faster_;
};

TEST_F(Remembered, HoldsForTheBucketAndNoFurther) {
  EXPECT_EQ(chosen(engine_, {}, {1, 3, 8, 3, 8}), "faster");
  EXPECT_EQ(chosen(engine_, {}, {1, 4, 9, 4, 9}), "default");
}

TEST_F(Remembered, HoldsForTheThreadsItWasMeasuredWith) {
  EXPECT_EQ(engine_.select(problem(), extents(), 2).backend, "default");
}

TEST_F(Remembered, AForcedBackendCountsMore) { EXPECT_EQ(chosen(engine_, {.backend = "default"}), "default"); }

TEST_F(Remembered, AWinnerThatNoLongerTakesTheProblemIsPassedOver) {
  faster_->most_keys = 5;
  EXPECT_EQ(chosen(engine_), "default");
}

TEST_F(Remembered, AnotherVersionIsPassedOver) {
  faster_->backend_version = "2";
  EXPECT_EQ(chosen(engine_), "default");
}

TEST_F(Remembered, AWinnerThatIsNotThereIsPassedOver) {
  Engine later(config());
  add(later, "default", slow, 1);
  EXPECT_EQ(chosen(later), "default");
}

TEST_F(Remembered, ExplainShowsTheMeasurement) {
  const Explanation facts = engine_.explain(problem(), extents(), engine_threads);
  EXPECT_EQ(facts.choice.backend, "faster");
  ASSERT_TRUE(facts.choice.candidates[0].measured);
  EXPECT_GT(facts.choice.candidates[0].measured->samples, 0);
}

TEST_F(Remembered, CallsUseIt) {
  test::SmallCall call;
  const auto [described, sizes] = describe(call.tensors, call.options);
  engine_.tune(described, sizes, options());
  InlineExecutor executor;
  engine_.attention(call.tensors, call.options, &executor);
  EXPECT_FALSE(call.outputs_untouched());
}

TEST_F(Remembered, ClearForgets) {
  engine_.clear_wisdom();
  EXPECT_EQ(chosen(engine_), "default");
  EXPECT_FALSE(std::filesystem::exists(file()));
  EXPECT_TRUE(engine_.wisdom().empty());
}

TEST_F(Remembered, ExportAndImport) {
  Engine other{Engine::Config{.builtins = false}};
  add(other, "default", slow, 1);
  add(other, "faster", quick, 2);
  EXPECT_EQ(other.import_wisdom(engine_.export_wisdom()), "");
  EXPECT_EQ(chosen(other), "faster");
  refusal([&] { other.import_wisdom("{}"); });
}

TEST_F(Tune, WithAForcedBackendHoldsForCallsThatForceTheSame) {
  Engine engine(config());
  add(engine, "default", slow, 1);
  add(engine, "faster", quick, 2);
  const TuneResult result = engine.tune(problem(), extents(), options(), {.backend = "default"});
  EXPECT_EQ(result.winner.backend, "default");
  EXPECT_EQ(result.measurements.size(), 1u);
  EXPECT_EQ(engine.wisdom()[0].pinned, "backend default");
  EXPECT_EQ(chosen(engine, {.backend = "faster"}), "faster");
}

TEST_F(Tune, ReproducibleIsPinned) {
  Engine engine{Engine::Config{.wisdom = file()}};
  const TuneResult result = engine.tune(problem(), extents(), options(), {.reproducible = true});
  EXPECT_FALSE(result.learned);
  EXPECT_NE(result.why.find("reproducible"), std::string::npos);
  EXPECT_EQ(result.measurements.size(), 1u);
  EXPECT_TRUE(engine.wisdom().empty());
}

TEST_F(Tune, ReproducibleCallsUseNoWisdom) {
  Engine engine{Engine::Config{.wisdom = file()}};
  const std::string before = chosen(engine, {.reproducible = true});
  engine.tune(problem(), extents(), options());
  EXPECT_EQ(chosen(engine, {.reproducible = true}), before);
  EXPECT_TRUE(engine.select(problem(), extents(), engine_threads, {.reproducible = true}).measurements.empty());
}

TEST_F(Tune, TheBuiltinsVariantsAreAllMeasuredOrToldWhyNot) {
  // On the engine's own executor, so that it holds in a library that has no threads of its own too.
  Engine engine{Engine::Config{.executor = std::make_shared<test::ThreadExecutor>(2), .wisdom = file()}};
  TuneOptions two = options();
  two.threads = 2;
  const TuneResult result = engine.tune(problem(), extents(), two);
  const auto isas = engine.machine().isas.size();
  std::size_t in_own_tiling = 0;
  for (const Measurement& m : result.measurements) {
    EXPECT_NE(m.verdict, "");
    if (m.variant.tiling.empty()) ++in_own_tiling;
  }
  EXPECT_EQ(in_own_tiling, 1 + isas + 2 * isas);  // naive; simd; tiled on 1 and 2 threads
}

TEST_F(Tune, AForcedInstructionSetIsKept) {
  Engine engine{Engine::Config{.wisdom = file()}};
  const std::string weakest = name(engine.machine().isas.front());
  const TuneResult result = engine.tune(problem(), extents(), options(), {.isa = weakest});
  for (const Measurement& m : result.measurements) {
    EXPECT_TRUE(m.variant.isa == Isa::generic || name(m.variant.isa) == weakest) << m.variant.backend;
  }
  EXPECT_EQ(engine.wisdom()[0].pinned, "isa " + weakest);
}

TEST_F(Tune, StoppedAtOnceChangesNothing) {
  Engine engine(config());
  add(engine, "default", slow, 1);
  add(engine, "faster", quick, 2);
  TuneOptions impatient = options();
  impatient.progress = [](const TuneProgress&) { return false; };
  const TuneResult result = engine.tune(problem(), extents(), impatient);
  EXPECT_EQ(result.winner.backend, "default");
  EXPECT_FALSE(result.learned);
  EXPECT_NE(result.why.find("stopped"), std::string::npos) << result.why;
  ASSERT_EQ(result.measurements.size(), 2u);
  EXPECT_EQ(result.measurements[0].verdict, "stays the choice");
  EXPECT_EQ(result.measurements[1].verdict.rfind("not measured", 0), 0u) << result.measurements[1].verdict;
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(Tune, StoppedLateKeepsWhatWasMeasured) {
  Engine engine(config());
  add(engine, "default", slow, 1);
  add(engine, "faster", quick, 2);
  TuneOptions patient = options();
  int asked = 0;
  patient.progress = [&asked](const TuneProgress& now) {
    EXPECT_NE(now.doing, "");
    EXPECT_EQ(now.budget_seconds, 20);
    return ++asked < 15;
  };
  const TuneResult result = engine.tune(problem(), extents(), patient);
  EXPECT_TRUE(result.learned) << result.why;
  EXPECT_EQ(engine.wisdom().size(), 1u);
}

TEST_F(Tune, AFileThatCannotBeWrittenIsANoteAndNoFailure) {
  Engine engine{Engine::Config{.builtins = false, .wisdom = "/proc/no/such/folder/wisdom.json"}};
  add(engine, "default", quick, 1);
  const TuneResult result = engine.tune(problem(), extents(), options());
  EXPECT_TRUE(result.learned);
  EXPECT_NE(result.note.find("nothing was saved"), std::string::npos) << result.note;
}

TEST_F(Tune, ADamagedFileIsANote) {
  std::ofstream(file()) << "nonsense";
  Engine engine(config());
  add(engine, "default", quick, 1);
  EXPECT_NE(engine.wisdom_note().find("is not used"), std::string::npos);
  EXPECT_EQ(chosen(engine), "default");
}

TEST_F(Tune, RefusesOptionsThatMakeNoSense) {
  Engine engine(config());
  add(engine, "default", quick, 1);
  refusal([&] { engine.tune(problem(), extents(), {.threads = -1, .budget_seconds = 1, .progress = {}}); });
  refusal([&] { engine.tune(problem(), extents(), {.threads = 1, .budget_seconds = 0, .progress = {}}); });
  Problem odd = problem();
  odd.kv_heads = 3;
  refusal([&] { engine.tune(odd, extents(), options()); });
}

TEST(Environment, NamesTheFile) {
  setenv("ATTUNE_WISDOM", "/somewhere/wisdom.json", 1);
  EXPECT_EQ(Engine::Config::from_environment().wisdom, "/somewhere/wisdom.json");
  setenv("ATTUNE_WISDOM", "", 1);
  EXPECT_EQ(Engine::Config::from_environment().wisdom, "");
  unsetenv("ATTUNE_WISDOM");
  EXPECT_EQ(Engine::Config::from_environment().wisdom, "auto");
}

}  // namespace
}  // namespace attune
