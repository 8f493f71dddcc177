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
/// of a loop; allocates nothing.
class ItemShares {
 public:
  ItemShares(std::int64_t items, std::int64_t workers) noexcept
      : items_(items), deal_{std::min({items, workers, most})} {
    for (std::int64_t share = 0; share < deal_.workers; ++share) round(share) = 0;
  }

  /// Calls task(item, worker) for items that no other worker has taken, until there are none.
  void drain(int worker, Task task) noexcept {
    for (std::int64_t i = 0; i < deal_.workers; ++i) {
      const std::int64_t share = (worker + i) % deal_.workers;
      const std::atomic_ref next(round(share));
      for (std::int64_t item = deal_.item(share, next++); item < items_; item = deal_.item(share, next++))
        task(item, worker);
    }
  }

 private:
  /// Workers beyond it share with others.
  static constexpr std::int64_t most = 256;

  struct alignas(64) Share {
    std::int64_t round;  // the next that nobody has taken
  };

  std::int64_t& round(std::int64_t share) noexcept { return shares_[static_cast<std::size_t>(share)].round; }

  const std::int64_t items_;
  const Deal deal_;
  std::array<Share, most> shares_;  // those beyond deal_.workers are never touched
};

}  // namespace attune::detail
