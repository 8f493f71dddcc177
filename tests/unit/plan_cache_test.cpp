// The cache of plans: keyed by problem, backend and instruction set; the least recently used leaves.
#include "engine/plan_cache.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "tests/unit/fake_backend.hpp"

namespace attune::detail {
namespace {

using test::FakeBackend;
using test::FakePlan;

PlanKey key(std::int64_t heads, const Backend* backend = nullptr, Isa isa = Isa::generic) {
  PlanKey result;
  result.problem.heads = heads;
  result.backend = backend;
  result.isa = isa;
  return result;
}

std::shared_ptr<const Plan> make_plan() { return std::make_shared<FakePlan>(Problem{}, Isa::generic, Status::ok); }

TEST(PlanCache, FindsWhatWasInserted) {
  PlanCache cache;
  EXPECT_EQ(cache.find(key(1)), nullptr);
  const auto plan = make_plan();
  EXPECT_EQ(cache.insert(key(1), plan), plan);
  EXPECT_EQ(cache.find(key(1)), plan);
  EXPECT_EQ(cache.find(key(2)), nullptr);
}

TEST(PlanCache, TellsBackendsAndInstructionSetsApart) {
  PlanCache cache;
  const FakeBackend one("one");
  const FakeBackend two("two");
  cache.insert(key(1, &one, Isa::avx2), make_plan());
  EXPECT_EQ(cache.find(key(1, &two, Isa::avx2)), nullptr);
  EXPECT_EQ(cache.find(key(1, &one, Isa::sse2)), nullptr);
  EXPECT_NE(cache.find(key(1, &one, Isa::avx2)), nullptr);
}

TEST(PlanCache, KeepsTheFirstOfTwo) {
  PlanCache cache;
  const auto first = make_plan();
  cache.insert(key(1), first);
  EXPECT_EQ(cache.insert(key(1), make_plan()), first);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(PlanCache, LetsTheLeastRecentlyUsedGo) {
  PlanCache cache(3);
  for (const int heads : {1, 2, 3}) cache.insert(key(heads), make_plan());
  cache.find(key(1));  // 2 is now the oldest
  cache.insert(key(4), make_plan());
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(cache.find(key(2)), nullptr);
  EXPECT_NE(cache.find(key(1)), nullptr);
  EXPECT_NE(cache.find(key(3)), nullptr);
  EXPECT_NE(cache.find(key(4)), nullptr);
}

TEST(PlanCache, Holds256) {
  PlanCache cache;
  for (int heads = 1; heads <= 300; ++heads) cache.insert(key(heads), make_plan());
  EXPECT_EQ(cache.size(), 256u);
  EXPECT_EQ(cache.find(key(44)), nullptr);
  EXPECT_NE(cache.find(key(45)), nullptr);
}

TEST(PlanCache, APlanThatLeftLivesForItsHolder) {
  PlanCache cache(1);
  const std::weak_ptr<const Plan> left = cache.insert(key(1), make_plan());
  const auto held = left.lock();
  cache.insert(key(2), make_plan());
  EXPECT_FALSE(left.expired());
}

TEST(PlanCache, TakesSeveralThreads) {
  PlanCache cache(8);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&cache, thread] {
      for (int round = 0; round < 2000; ++round) {
        const PlanKey wanted = key(1 + (round * 7 + thread) % 20);
        if (cache.find(wanted) == nullptr) cache.insert(wanted, make_plan());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.size(), 8u);
}

}  // namespace
}  // namespace attune::detail
