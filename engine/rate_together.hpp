// A rate of work that all threads of an executor do at the same time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include <attune/executor.hpp>

namespace attune {

/// How much the threads do together each second: all start at the same moment and repeat `work(thread)`, which returns
/// how much it did, for that many seconds. Each one's rate is its own, so that a late one does not stretch the time of
/// the others.
template <typename Work>
double rate_together(Executor& executor, double seconds, const Work& work) {
  using Clock = std::chrono::steady_clock;
  const int threads = executor.num_threads();
  std::atomic<int> waiting{threads};
  std::atomic<Clock::rep> start{0};
  std::vector<double> rates(static_cast<std::size_t>(threads));
  const auto run = [&](std::int64_t thread, int) noexcept {
    if (waiting.fetch_sub(1) == 1) start = (Clock::now() + std::chrono::microseconds(100)).time_since_epoch().count();
    while (start == 0 || Clock::now().time_since_epoch().count() < start) {
    }
    const Clock::time_point begin{Clock::duration(start.load())};
    double done = 0, elapsed = 0;
    do {
      done += work(thread);
      elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
    } while (elapsed < seconds);
    rates[static_cast<std::size_t>(thread)] = done / elapsed;
  };
  executor.parallel_for(threads, run);
  double total = 0;
  for (const double rate : rates) total += rate;
  return total;
}

}  // namespace attune
