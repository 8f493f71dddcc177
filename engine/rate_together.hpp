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
/// the others. No executor promises that all its threads run at once: who has not come after a second is not waited
/// for, and is late.
template <typename Work>
double rate_together(Executor& executor, double seconds, const Work& work) {
  using Clock = std::chrono::steady_clock;
  const int threads = executor.num_threads();
  std::atomic<int> waiting{threads};
  std::atomic<Clock::rep> start{0};
  std::vector<double> rates(static_cast<std::size_t>(threads));
  const auto run = [&](std::int64_t thread, int) noexcept {
    const auto start_at = [&start](Clock::time_point moment) {
      Clock::rep unset = 0;
      start.compare_exchange_strong(unset, moment.time_since_epoch().count());
    };
    const Clock::time_point came = Clock::now();
    if (waiting.fetch_sub(1) == 1) start_at(came + std::chrono::microseconds(100));
    for (Clock::time_point now = came; start == 0 || now.time_since_epoch().count() < start; now = Clock::now())
      if (now - came > std::chrono::seconds(1)) start_at(now);
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
