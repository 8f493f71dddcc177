// Workspaces: aligned, large enough, reused, never shared, and not hoarded.
#include "engine/workspace_pool.hpp"

#include <gtest/gtest.h>

#include <attune/backend.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <set>
#include <thread>
#include <vector>

namespace attune::detail {
namespace {

TEST(WorkspacePool, GivesAlignedMemoryOfAtLeastTheSize) {
  WorkspacePool pool;
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{64}, std::size_t{5000}, std::size_t{1} << 20}) {
    const auto lease = pool.lease(bytes);
    EXPECT_GE(lease.bytes().size(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(lease.bytes().data()) % workspace_alignment, 0u);
    std::memset(lease.bytes().data(), 1, lease.bytes().size());
  }
}

TEST(WorkspacePool, GivesNothingForNothing) {
  WorkspacePool pool;
  EXPECT_EQ(pool.lease(0).bytes().size(), 0u);
}

TEST(WorkspacePool, Reuses) {
  WorkspacePool pool;
  const std::byte* first = pool.lease(100000).bytes().data();
  EXPECT_EQ(pool.lease(100000).bytes().data(), first);
  EXPECT_EQ(pool.lease(5).bytes().data(), first);
}

TEST(WorkspacePool, NeverGivesTheSameTwiceAtOneTime) {
  WorkspacePool pool;
  const auto one = pool.lease(1000);
  const auto two = pool.lease(1000);
  EXPECT_NE(one.bytes().data(), two.bytes().data());
}

TEST(WorkspacePool, PrefersTheSmallestThatWillDo) {
  WorkspacePool pool;
  const std::byte* small = nullptr;
  {
    const auto a = pool.lease(10000);
    const auto b = pool.lease(1000000);
    small = a.bytes().data();
  }
  EXPECT_EQ(pool.lease(9000).bytes().data(), small);
}

TEST(WorkspacePool, GrowsInStepsSoThatAGrowingCallDoesNotAllocateEachTime) {
  WorkspacePool pool;
  std::set<std::size_t> sizes;
  for (std::size_t bytes = 1 << 20; bytes < (2 << 20); bytes += 1024) sizes.insert(pool.lease(bytes).bytes().size());
  EXPECT_LE(sizes.size(), 9u);  // eighths of a power of two
}

TEST(WorkspacePool, SaysSoWhenThereIsNoMemory) {
  WorkspacePool pool;
  EXPECT_THROW(pool.lease(std::numeric_limits<std::size_t>::max()), std::bad_alloc);
}

TEST(WorkspacePool, TakesSeveralThreads) {
  WorkspacePool pool;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&pool, thread] {
      for (int round = 0; round < 2000; ++round) {
        const auto lease = pool.lease(static_cast<std::size_t>(64 + 64 * (round % 5)));
        std::memset(lease.bytes().data(), thread, 64);
        for (const std::byte b : lease.bytes().first(64)) ASSERT_EQ(b, static_cast<std::byte>(thread));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace attune::detail
