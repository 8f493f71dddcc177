// Which cores the threads that help a caller are given.
#include <gtest/gtest.h>

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include <attune/executor.hpp>

#include "engine/helper_cores.hpp"

namespace attune {
namespace {

cpu_set_t cores_of(pid_t thread) {
  cpu_set_t cores;
  EXPECT_EQ(sched_getaffinity(thread, sizeof cores, &cores), 0);
  return cores;
}

bool equal(const cpu_set_t& a, const cpu_set_t& b) { return CPU_EQUAL(&a, &b) != 0; }

cpu_set_t without(cpu_set_t cores, std::size_t core) {
  CPU_CLR(core, &cores);
  return cores;
}

/// The caller stands on one core after the other; two threads, and a machine of two cores at least.
class HelperCoresTest : public testing::Test {
 protected:
  void SetUp() override {
    all_ = cores_of(0);
    for (std::size_t core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &all_)) cores_.push_back(core);
    if (cores_.size() < 2) GTEST_SKIP() << "there is but one core";
    executor_ = make_executor(2);
  }
  void TearDown() override {
    executor_.reset();
    EXPECT_EQ(sched_setaffinity(0, sizeof all_, &all_), 0);
  }

  void stand_on(std::size_t core) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  }

  /// Calls until one is helped by a thread that had helped before: that one was placed when the call began.
  void call() {
    do helper_ = call_once();
    while (known_.insert(helper_).second);
  }

  cpu_set_t all_{};
  std::vector<std::size_t> cores_;
  std::shared_ptr<Executor> executor_;
  pid_t helper_ = 0;

 private:
  /// The thread that took one of two items.
  pid_t call_once() {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // or helpers would stay where they are
    const pid_t caller = gettid();
    std::atomic<pid_t> helper{0};
    const auto task = [&](std::int64_t, int) noexcept {
      if (gettid() != caller) helper = gettid();
      while (helper == 0) std::this_thread::yield();
    };
    executor_->parallel_for(2, task);
    return helper;
  }

  std::set<pid_t> known_;
};

TEST_F(HelperCoresTest, HelpersLeaveTheCallersCoreToIt) {
  call();
  for (const std::size_t core : {cores_[0], cores_[1], cores_[0]}) {
    stand_on(core);
    call();
    EXPECT_TRUE(equal(cores_of(helper_), without(all_, core))) << core;
  }
}

TEST_F(HelperCoresTest, TheyGetTheirCoresBackWithTheLastExecutor) {
  std::shared_ptr<Executor> other = make_executor(2);
  call();
  stand_on(cores_[0]);
  call();
  EXPECT_FALSE(equal(cores_of(helper_), all_));
  other.reset();
  EXPECT_FALSE(equal(cores_of(helper_), all_));
  executor_.reset();
  EXPECT_TRUE(equal(cores_of(helper_), all_));
}

TEST_F(HelperCoresTest, WhomSomebodyElsePlacesIsLeftAlone) {
  call();
  stand_on(cores_[0]);
  call();
  const pid_t placed = helper_;
  ASSERT_EQ(sched_setaffinity(placed, sizeof all_, &all_), 0);
  stand_on(cores_[1]);
  call();
  EXPECT_TRUE(equal(cores_of(placed), all_));
}

/// Callers that wait take items of each other.
TEST_F(HelperCoresTest, CallersAreNoHelpers) {
  detail::HelperCores::leave_to_caller();
  detail::HelperCores::help();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::thread another([this] {
    stand_on(cores_[1]);
    detail::HelperCores::leave_to_caller();
  });
  another.join();
  EXPECT_TRUE(equal(cores_of(gettid()), all_));
}

}  // namespace
}  // namespace attune
