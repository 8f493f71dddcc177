#include <attune/peak.hpp>

#include <atomic>
#include <chrono>
#include <vector>

#include "backends/kernels/instruction_sets.hpp"

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;

const kernels::Kernels& kernels_of(Isa isa) {
  const kernels::Kernels* found = kernels::find(name(isa));
  return found != nullptr ? *found : *kernels::instruction_sets().front().kernels;
}

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

double measure_peak(Isa isa, Executor& executor) {
  const kernels::Kernels& kernels = kernels_of(isa);
  constexpr std::int64_t iterations = 20000;
  const int threads = executor.num_threads();
  // All threads start together and count what they do until the same moment: a late one must not stretch the time.
  std::atomic<int> waiting{threads};
  std::atomic<Clock::rep> start{0};
  std::vector<double> rates(static_cast<std::size_t>(threads));
  const auto run = [&](std::int64_t item, int) noexcept {
    if (waiting.fetch_sub(1) == 1) start = (Clock::now() + std::chrono::microseconds(100)).time_since_epoch().count();
    while (start == 0 || Clock::now().time_since_epoch().count() < start) {
    }
    const Clock::time_point begin{Clock::duration(start.load())};
    const Clock::time_point end = begin + std::chrono::milliseconds(20);
    double flops = 0;
    Clock::time_point now = Clock::now();
    while (now < end) {
      flops += kernels.multiply_add_peak(iterations);
      now = Clock::now();
    }
    rates[static_cast<std::size_t>(item)] = flops / seconds(now - begin);
  };
  executor.parallel_for(threads, run);
  double total = 0;
  for (const double rate : rates) total += rate;
  return total;
}

}  // namespace attune
