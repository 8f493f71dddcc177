// How the threads of one loop share its items.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <attune/executor.hpp>

namespace attune::detail {

/// Each worker has the items that are dealt to it, and when those are done helps with the others'. Lives on the stack
/// of a loop (16 KB); allocates nothing.
class ItemShares {
 public:
  ItemShares(std::int64_t items, std::int64_t workers) noexcept
      : items_(items), workers_(workers), deal_{std::min({items, workers, most})} {
    for (std::int64_t i = 0; i < deal_.workers; ++i) shares_[static_cast<std::size_t>(i)] = {0, 0};
  }

  /// A number that no other thread of this loop has, `wanted` if it is to be had. `other` must be one of as many as
  /// there are workers, another one in each call: it is taken where there are more workers than shares.
  int number(int wanted, int other) noexcept {
    if (workers_ > deal_.workers) return other;
    for (std::int64_t i = 0; i < workers_; ++i) {
      const std::int64_t worker = (wanted + i) % workers_;
      if (std::atomic_ref(share(worker).has_worker).exchange(1) == 0) return static_cast<int>(worker);
    }
    return other;  // not with as many calls as workers
  }

  /// Calls task(item, worker) for items that no other worker has taken, until there are none.
  void drain(int worker, Task task) noexcept {
    for (std::int64_t i = 0; i < deal_.workers; ++i) {
      const std::int64_t of = (worker + i) % deal_.workers;
      const std::atomic_ref round(share(of).round);
      while (deal_.item(of, round.load(std::memory_order_relaxed)) < items_) {  // most end here, and disturb nobody
        const std::int64_t item = deal_.item(of, round++);
        if (item < items_) task(item, worker);
      }
    }
  }

 private:
  /// Workers beyond it share with others.
  static constexpr std::int64_t most = 256;

  struct alignas(64) Share {
    std::int64_t round;       // the next that nobody has taken
    std::int64_t has_worker;  // 1 if somebody has its number
  };

  Share& share(std::int64_t i) noexcept { return shares_[static_cast<std::size_t>(i)]; }

  const std::int64_t items_, workers_;
  const Deal deal_;
  std::array<Share, most> shares_;  // those beyond deal_.workers are not made
};

}  // namespace attune::detail
