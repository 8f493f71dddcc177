// A part of an executor's threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include <attune/executor.hpp>

#include "engine/item_shares.hpp"

namespace attune::detail {

/// Runs on at most so many threads of another executor. Lives on the stack of a call; allocates nothing.
class FewerThreads final : public Executor {
 public:
  FewerThreads(Executor& all, int threads) noexcept : all_(all), threads_(std::min(threads, all.num_threads())) {}

  int num_threads() const noexcept override { return threads_; }

  /// Each worker is one item of the other executor.
  void parallel_for(std::int64_t items, Task task) noexcept override {
    const std::int64_t workers = std::min<std::int64_t>(items, threads_);
    ItemShares shares(items, workers);
    if (workers <= 1) return shares.drain(0, task);
    const auto work = [&](std::int64_t worker, int) noexcept { shares.drain(static_cast<int>(worker), task); };
    all_.parallel_for(workers, work);
  }

 private:
  Executor& all_;
  const int threads_;
};

}  // namespace attune::detail
