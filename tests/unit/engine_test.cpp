// The engine as a whole: configuration, forced names, plans, failures of backends, and many threads at once.
#include <gtest/gtest.h>

#include <attune/attune.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/fake_backend.hpp"
#include "tests/unit/small_call.hpp"

namespace attune {
namespace {

using test::FakeBackend;
using test::refusal;
using test::SmallCall;

/// A configuration that does not look at the environment the tests happen to run in.
Engine::Config config() { return {}; }

Selection force(const char* backend, const char* isa = "") {
  return {.backend = backend, .isa = isa, .reproducible = false};
}

/// Sets an environment variable for the length of a test.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value, 1);
  }
  ~Environment() {
    if (before_) {
      setenv(name_, before_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

// ---- Configuration

TEST(Config, ReadsTheEnvironment) {
  const Environment backend("ATTUNE_BACKEND", "naive");
  const Environment isa("ATTUNE_ISA", "sse2");
  const Engine::Config read = Engine::Config::from_environment();
  EXPECT_EQ(read.backend, "naive");
  EXPECT_EQ(read.isa, "sse2");
  EXPECT_TRUE(read.builtins);
}

TEST(Config, ForcesABackendThatTheCallCanOverrule) {
  const Environment backend("ATTUNE_BACKEND", "naive");
  const Environment isa("ATTUNE_ISA", "");
  const Engine engine;
  const Choice by_environment = engine.select(Problem{}, Extents{}, 1);
  EXPECT_EQ(by_environment.backend, "naive");
  EXPECT_NE(by_environment.rule.find("ATTUNE_BACKEND"), std::string::npos) << by_environment.rule;
  EXPECT_EQ(engine.select(Problem{}, Extents{}, 1, force("tiled")).backend, "tiled");
}

TEST(Config, ChoosesTiledForADecodeOnAnyNumberOfThreads) {
  const Environment backend("ATTUNE_BACKEND", ""), isa("ATTUNE_ISA", "");
  const Engine engine;
  Problem problem;
  problem.heads = 32;
  problem.kv_heads = 8;
  problem.head_dim = problem.value_dim = 128;
  for (const std::int64_t keys : {512, 4096, 16384})
    for (const int threads : {1, 2, 64})
      EXPECT_EQ(engine.select(problem, Extents::padded(1, 1, keys), threads).backend, "tiled")
          << keys << ", " << threads;
}

TEST(Config, AnUnknownBackendIsRefusedByCallsListingTheKnown) {
  Engine::Config wrong = config();
  wrong.backend = "magic";
  Engine engine(wrong);  // a plugin may still bring it
  const std::string message = refusal([&] { engine.select(Problem{}, Extents{}, 1); });
  EXPECT_EQ(refusal([&] { engine.plan(Problem{}, Extents{}, 1); }), message);
  for (const char* word : {"magic", "naive", "simd", "tiled"})
    EXPECT_NE(message.find(word), std::string::npos) << message;
  engine.add(std::make_shared<FakeBackend>("magic"));
  EXPECT_EQ(engine.select(Problem{}, Extents{}, 1).backend, "magic");
}

TEST(Config, RefusesInstructionSetsThatAreUnknownOrNotHere) {
  Engine::Config wrong = config();
  wrong.isa = "sse17";
  EXPECT_NE(refusal([&] { Engine engine(wrong); }).find("avx512_bf16"), std::string::npos);
  const Engine here(config());
  for (const Isa isa : {Isa::sse2, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::neon}) {
    wrong.isa = name(isa);
    const std::vector<Isa>& available = here.machine().isas;
    if (std::find(available.begin(), available.end(), isa) != available.end()) {
      EXPECT_EQ(Engine(wrong).machine().isa, isa);
    } else {
      EXPECT_NE(refusal([&] { Engine engine(wrong); }, ErrorCode::unsupported).find("available"), std::string::npos);
    }
  }
}

TEST(Config, CanStartWithoutBuiltins) {
  Engine::Config bare = config();
  bare.builtins = false;
  Engine engine(bare);
  EXPECT_TRUE(engine.backends().empty());
  refusal([&] { engine.select(Problem{}, Extents{}, 1); }, ErrorCode::unsupported);
  engine.add(std::make_shared<FakeBackend>("only"));
  EXPECT_EQ(engine.select(Problem{}, Extents{}, 1).backend, "only");
}

TEST(Config, UsesTheExecutorItIsGiven) {
  Engine::Config own = config();
  own.executor = std::make_shared<InlineExecutor>();
  Engine engine(own);
  EXPECT_EQ(&engine.executor(), own.executor.get());
}

// ---- Machine

TEST(Machine, KnowsSomethingOfEverything) {
  const Machine machine = Machine::detect();
  EXPECT_FALSE(machine.cpu.empty());
  EXPECT_GE(machine.cores, 1);
  EXPECT_GT(machine.l1_bytes, 0u);
  EXPECT_GT(machine.l2_bytes, 0u);
  ASSERT_FALSE(machine.isas.empty());
  EXPECT_EQ(machine.isa, machine.isas.back());
}

TEST(Version, IsThreeNumbers) { EXPECT_EQ(std::count(version(), version() + std::string(version()).size(), '.'), 2); }

// ---- Backends

TEST(Backends, BuiltinsComeFirst) {
  Engine engine(config());
  engine.add(std::make_shared<FakeBackend>("mine"));
  std::vector<std::string> names;
  for (const auto& backend : engine.backends()) names.emplace_back(backend->name());
  EXPECT_EQ(names, (std::vector<std::string>{"naive", "simd", "tiled", "mine"}));
}

TEST(Backends, NamesAreUnique) {
  Engine engine(config());
  refusal([&] { engine.add(std::make_shared<FakeBackend>("naive")); });
  refusal([&] { engine.add(std::make_shared<FakeBackend>("")); });
  refusal([&] { engine.add(nullptr); });
  EXPECT_EQ(engine.backends().size(), 3u);
}

/// One that is made of the engine's others.
struct AskingBackend final : FakeBackend {
  explicit AskingBackend(const Engine& whom) : FakeBackend("asking"), engine(whom) {}
  std::vector<Isa> instruction_sets() const override { return engine.backends().back()->instruction_sets(); }
  const Engine& engine;
};

TEST(Backends, OneThatAsksTheEngineMayBeAdded) {
  Engine engine(config());
  engine.add(std::make_shared<AskingBackend>(engine));
  EXPECT_EQ(engine.backends().back()->name(), "asking");
}

TEST(Backends, AnUnknownNameInACallIsRefusedAndNothingIsWritten) {
  Engine engine(config());
  SmallCall call;
  call.options.backend = "nobody";
  EXPECT_NE(refusal([&] { engine.attention(call.tensors, call.options); }).find("naive, simd, tiled"),
            std::string::npos);
  call.options.backend = "";
  call.options.isa = "mmx";
  EXPECT_NE(refusal([&] { engine.attention(call.tensors, call.options); }).find("mmx"), std::string::npos);
  EXPECT_TRUE(call.outputs_untouched());
}

TEST(Backends, AForcedInstructionSetIsNoErrorForNaive) {
  Engine engine(config());
  SmallCall call;
  call.options.backend = "naive";
  call.options.isa = name(engine.machine().isas.front());
  EXPECT_NO_THROW(engine.attention(call.tensors, call.options));
  EXPECT_FALSE(call.outputs_untouched());
}

TEST(Backends, AFailureBecomesAnError) {
  Engine engine(config());
  auto broken = std::make_shared<FakeBackend>("broken");
  broken->status = Status::failed;
  engine.add(broken);
  SmallCall call;
  call.options.backend = "broken";
  refusal([&] { engine.attention(call.tensors, call.options); }, ErrorCode::backend_failed);
}

// ---- Plans

TEST(Plans, AreMadeOncePerProblem) {
  Engine engine(config());
  auto backend = std::make_shared<FakeBackend>("counting");
  engine.add(backend);
  Problem problem;
  const auto first = engine.plan(problem, Extents::padded(1, 1, 1), 1, force("counting"));
  for (std::int64_t keys = 2; keys < 100; ++keys) {
    EXPECT_EQ(engine.plan(problem, Extents::padded(1, 1, keys), 1, force("counting")), first);
  }
  EXPECT_EQ(backend->plans, 1);
  problem.causal = true;
  EXPECT_NE(engine.plan(problem, Extents{}, 1, force("counting")), first);
  EXPECT_EQ(backend->plans, 2);
}

TEST(Plans, OutliveTheirEngine) {
  SmallCall call;
  std::shared_ptr<const Plan> plan;
  {
    Engine engine(config());
    const auto [problem, extents] = describe(call.tensors, call.options);
    plan = engine.plan(problem, extents, 1, force("tiled"));
  }
  const Call bound = plan->bind(call.tensors, call.options);
  InlineExecutor executor;
  std::vector<std::byte> memory(bound.workspace_bytes(1) + workspace_alignment);
  const auto misalignment = reinterpret_cast<std::uintptr_t>(memory.data()) % workspace_alignment;
  EXPECT_EQ(bound.run(std::span(memory).subspan(workspace_alignment - misalignment), executor), Status::ok);
}

// ---- Many threads at once

template <typename F>
void on_threads(int count, F f) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < count; ++thread) threads.emplace_back([&f, thread] { f(thread); });
  for (std::thread& thread : threads) thread.join();
}

TEST(Concurrency, OnePlanRunsOnManyThreads) {
  for (const char* backend : {"naive", "simd", "tiled"}) {
    SmallCall call;
    const auto [problem, extents] = describe(call.tensors, call.options);
    const auto plan = default_engine().plan(problem, extents, 1, force(backend));
    std::vector<SmallCall> outputs(4);
    on_threads(4, [&](int thread) {
      Tensors own = call.tensors;
      own.out = outputs[static_cast<std::size_t>(thread)].tensors.out;
      const Call mine = plan->bind(own, call.options);
      InlineExecutor executor;
      std::vector<std::byte> memory(mine.workspace_bytes(1) + workspace_alignment);
      const auto misalignment = reinterpret_cast<std::uintptr_t>(memory.data()) % workspace_alignment;
      for (int round = 0; round < 50; ++round) {
        EXPECT_EQ(mine.run(std::span(memory).subspan(workspace_alignment - misalignment), executor), Status::ok);
      }
    });
    for (const SmallCall& output : outputs) EXPECT_EQ(output.out, outputs.front().out) << backend;
  }
}

TEST(Concurrency, EveryMemberOfTheEngineMayBeCalledFromAnyThread) {
  Engine::Config own = config();
  own.executor = std::make_shared<InlineExecutor>();
  Engine engine(own);
  on_threads(4, [&engine](int thread) {
    for (int round = 0; round < 50; ++round) {
      SmallCall call;
      call.options.causal = round % 2 == 0;
      call.options.window_left = round % 7;
      engine.attention(call.tensors, call.options);
      EXPECT_FALSE(call.outputs_untouched());
      engine.select(Problem{}, Extents{}, 1);
      if (round % 10 == 0) engine.add(std::make_shared<FakeBackend>(std::to_string(thread * 1000 + round)));
      EXPECT_GE(engine.backends().size(), 3u);
    }
  });
  EXPECT_EQ(engine.backends().size(), 3u + 4 * 5);
}

}  // namespace
}  // namespace attune
