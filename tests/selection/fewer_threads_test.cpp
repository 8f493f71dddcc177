// A part of an executor's threads keeps an executor's promises.
#include "engine/fewer_threads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tests/support/executors.hpp"

namespace attune::detail {
namespace {

TEST(FewerThreads, HasNoMoreThanThereAre) {
  InlineExecutor one;
  EXPECT_EQ(FewerThreads(one, 8).num_threads(), 1);
  test::ThreadExecutor four(4);
  EXPECT_EQ(FewerThreads(four, 3).num_threads(), 3);
}

TEST(FewerThreads, RunsEachItemOnceAndNoWorkerTwiceAtATime) {
  test::ThreadExecutor four(4);
  for (const int threads : {1, 2, 3, 4}) {
    FewerThreads some(four, threads);
    for (const std::int64_t items : {0, 1, 2, 3, 100}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(items)), busy(4);
      std::atomic<bool> wrong = false;
      const auto task = [&](std::int64_t item, int worker) noexcept {
        if (worker < 0 || worker >= threads || busy[static_cast<std::size_t>(worker)]++ != 0) wrong = true;
        ++runs[static_cast<std::size_t>(item)];
        --busy[static_cast<std::size_t>(worker)];
      };
      some.parallel_for(items, task);
      EXPECT_FALSE(wrong);
      for (const auto& count : runs) EXPECT_EQ(count, 1);
    }
  }
}

TEST(FewerThreads, EachIsOneItemOfTheOtherExecutorWhateverThatCallsItsWorkers) {
  test::OrderExecutor reversed(5, test::Order::reversed);
  FewerThreads some(reversed, 3);
  std::vector<std::int64_t> order;
  const auto task = [&](std::int64_t item, int worker) noexcept {
    order.push_back(item);
    if (worker != 2) order.push_back(-1);  // who came first has done all
  };
  some.parallel_for(7, task);
  EXPECT_EQ(order, (std::vector<std::int64_t>{2, 3, 0, 5, 6, 1, 4}));
}

TEST(FewerThreads, MoreThanThereAreSharesRunEachItemOnce) {
  test::OrderExecutor many(400, test::Order::shuffled);
  FewerThreads some(many, 300);
  std::vector<int> runs(1000);
  const auto task = [&](std::int64_t item, int worker) noexcept {
    EXPECT_LT(worker, 300);
    ++runs[static_cast<std::size_t>(item)];
  };
  some.parallel_for(1000, task);
  for (const int count : runs) EXPECT_EQ(count, 1);
}

TEST(FewerThreads, OneRunsInOrder) {
  test::ThreadExecutor four(4);
  FewerThreads one(four, 1);
  std::vector<std::int64_t> order;
  const auto task = [&](std::int64_t item, int) noexcept { order.push_back(item); };
  one.parallel_for(5, task);
  EXPECT_EQ(order, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace attune::detail
