// The executors of the library: every item once, worker slots exclusive, the count asked for is the count used.
#include <gtest/gtest.h>

#include <attune/error.hpp>
#include <attune/executor.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace attune {
namespace {

/// Null in a library that was built without oneTBB, which says so itself.
std::shared_ptr<Executor> threads_or_null(int count) {
  try {
    return make_executor(count);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported) throw;
    return nullptr;
  }
}

#define NEEDS_THREADS(executor, count)          \
  const auto executor = threads_or_null(count); \
  if (!executor) GTEST_SKIP() << "built without oneTBB (ATTUNE_TBB=OFF)"

/// Runs a callable through parallel_for.
template <typename F>
void run(Executor& executor, std::int64_t items, F f) {
  auto task = [&f](std::int64_t item, int worker) noexcept { f(item, worker); };
  executor.parallel_for(items, task);
}

void expect_every_item_once(Executor& executor, std::int64_t items) {
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(items));
  run(executor, items, [&](std::int64_t item, int worker) {
    EXPECT_GE(worker, 0);
    EXPECT_LT(worker, executor.num_threads());
    ++seen[static_cast<std::size_t>(item)];
  });
  for (std::int64_t item = 0; item < items; ++item) EXPECT_EQ(seen[static_cast<std::size_t>(item)], 1) << item;
}

TEST(InlineExecutor, RunsEveryItemOnceInOrderOnTheCaller) {
  InlineExecutor executor;
  std::vector<std::int64_t> order;
  run(executor, 5, [&](std::int64_t item, int worker) {
    EXPECT_EQ(worker, 0);
    order.push_back(item);
  });
  EXPECT_EQ(order, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(MakeExecutor, OneThreadIsTheCaller) {
  const auto executor = make_executor(1);
  EXPECT_EQ(executor->num_threads(), 1);
  run(*executor, 3,
      [caller = std::this_thread::get_id()](std::int64_t, int) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

TEST(MakeExecutor, RefusesNonsense) {
  EXPECT_THROW(make_executor(-1), Error);
  EXPECT_THROW(make_executor(1 << 30), Error);
}

TEST(MakeExecutor, TakesTheAvailableCoresByDefault) {
  NEEDS_THREADS(executor, 2);
  EXPECT_EQ(make_executor()->num_threads(), available_cores());
}

TEST(Threads, RunEveryItemOnce) {
  for (const int count : {1, 2, 3, 8}) {
    NEEDS_THREADS(executor, count);
    EXPECT_EQ(executor->num_threads(), count);
    for (const std::int64_t items : {0, 1, 2, 7, 1000}) expect_every_item_once(*executor, items);
  }
}

TEST(Threads, NeverShareAWorkerAtOneTime) {
  NEEDS_THREADS(executor, 4);
  std::vector<std::atomic<int>> busy(4);
  run(*executor, 20000, [&](std::int64_t, int worker) {
    EXPECT_EQ(++busy[static_cast<std::size_t>(worker)], 1);
    --busy[static_cast<std::size_t>(worker)];
  });
}

/// Items wait for each other: all meet only if that many threads run at the same time. The time limit turns a
/// wrong answer into a failure instead of a hang.
class Meeting {
 public:
  explicit Meeting(int expected) : expected_(expected) {}

  bool arrive_and_wait() {
    std::unique_lock lock(mutex_);
    if (++arrived_ == expected_) everybody_.notify_all();
    return everybody_.wait_for(lock, std::chrono::seconds(30), [&] { return arrived_ >= expected_; });
  }

 private:
  const int expected_;
  int arrived_ = 0;
  std::mutex mutex_;
  std::condition_variable everybody_;
};

void expect_all_at_once(Executor& executor) {
  Meeting meeting(executor.num_threads());
  run(executor, executor.num_threads(), [&](std::int64_t, int) { EXPECT_TRUE(meeting.arrive_and_wait()); });
}

TEST(Threads, AreAsManyAsAskedForAboveTheNumberOfCoresToo) {
  const int count = available_cores() + 5;
  NEEDS_THREADS(executor, count);
  expect_all_at_once(*executor);
  expect_all_at_once(*executor);
}

TEST(Threads, TakeTheItemsThatAreDealtToThem) {
  NEEDS_THREADS(executor, 3);
  constexpr std::int64_t rounds = 4;
  const Deal deal{executor->num_threads()};
  std::vector<std::unique_ptr<Meeting>> meetings;  // one for each round: nobody is done before the others
  for (std::int64_t round = 0; round < rounds; ++round) meetings.push_back(std::make_unique<Meeting>(3));
  run(*executor, rounds * deal.workers, [&](std::int64_t item, int worker) {
    EXPECT_EQ(worker, deal.worker(item)) << item;
    EXPECT_TRUE(meetings[static_cast<std::size_t>(deal.round(item))]->arrive_and_wait());
  });
}

TEST(Threads, HelpWhoIsLate) {
  NEEDS_THREADS(executor, 2);
  constexpr std::int64_t items = 40;
  Meeting end(2);  // of the first item, which takes as long as all others
  std::atomic<std::int64_t> others{0};
  run(*executor, items, [&](std::int64_t item, int) {
    if (item == 0 || ++others == items - 1) {
      EXPECT_TRUE(end.arrive_and_wait());
    }
  });
}

TEST(Deal, GoesToAndFro) {
  const Deal deal{3};
  std::vector<std::int64_t> workers;
  for (std::int64_t item = 0; item < 9; ++item) {
    workers.push_back(deal.worker(item));
    EXPECT_EQ(deal.item(deal.worker(item), deal.round(item)), item);
  }
  EXPECT_EQ(workers, (std::vector<std::int64_t>{0, 1, 2, 2, 1, 0, 0, 1, 2}));
}

TEST(Threads, StayAsManyWhenOtherExecutorsComeAndGo) {
  const int count = available_cores() + 3;
  NEEDS_THREADS(executor, count);
  {
    const auto smaller = make_executor(2);
    const auto larger = make_executor(count + 4);
    expect_all_at_once(*executor);
    expect_all_at_once(*larger);
    expect_all_at_once(*smaller);
  }
  expect_all_at_once(*executor);
}

TEST(Threads, TakeCallsFromSeveralThreadsAtOnce) {
  NEEDS_THREADS(executor, 3);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&executor = *executor] {
      for (int round = 0; round < 20; ++round) expect_every_item_once(executor, 50);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(Threads, TakeNestedCalls) {
  NEEDS_THREADS(executor, 3);
  std::atomic<int> inner_items{0};
  run(*executor, 8, [&](std::int64_t, int) { run(*executor, 5, [&](std::int64_t, int) { ++inner_items; }); });
  EXPECT_EQ(inner_items, 40);
}

}  // namespace
}  // namespace attune
