// A part of an executor's threads.
#pragma once

#include <algorithm>
#include <atomic>

#include <attune/executor.hpp>

namespace attune::detail {

/// Runs on at most so many threads of another executor. Lives on the stack of a call; allocates nothing.
class FewerThreads final : public Executor {
 public:
  FewerThreads(Executor& all, int threads) noexcept : all_(all), threads_(std::min(threads, all.num_threads())) {}

  int num_threads() const noexcept override { return threads_; }

  /// Each worker is one item of the other executor, which hands itself the items of this one, in ascending order.
  void parallel_for(std::int64_t items, Task task) noexcept override {
    std::atomic<std::int64_t> next{0};
    const auto work = [&](std::int64_t worker) noexcept {
      for (std::int64_t item = next++; item < items; item = next++) task(item, static_cast<int>(worker));
    };
    const std::int64_t workers = std::min<std::int64_t>(items, threads_);
    if (workers <= 1) return work(0);
    const auto slot = [&work](std::int64_t worker, int) noexcept { work(worker); };
    all_.parallel_for(workers, slot);
  }

 private:
  Executor& all_;
  const int threads_;
};

}  // namespace attune::detail
