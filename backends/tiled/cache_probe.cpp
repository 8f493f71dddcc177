#include "backends/tiled/cache_probe.hpp"

#if defined(__x86_64__)
#include <algorithm>
#include <chrono>
#endif

namespace attune::tiled {

#if defined(__x86_64__)

namespace {

using Clock = std::chrono::steady_clock;  // the time stamp counter, read when the loads before it are done
using std::chrono::nanoseconds;

/// With the clock's own 20. One Zen 5 core has a line of L3 after 20 to 35 (98 of 100 times), one of memory after 150
/// and more (85 of 100).
constexpr nanoseconds longest_for_a_cache(60);

template <typename F>
nanoseconds time_of(F f) noexcept {
  const auto begin = Clock::now();
  f();
  return Clock::now() - begin;
}

/// Not where the system is asked for the time by a call.
bool clock_is_quick() noexcept {
  nanoseconds shortest = longest_for_a_cache;
  for (int i = 0; i < 8; ++i) shortest = std::min(shortest, time_of([] {}));
  return shortest <= longest_for_a_cache / 2;
}

}  // namespace

bool lies_in_cache(const void* address) noexcept {
  static const bool quick = clock_is_quick();
  return quick &&
         time_of([&] { static_cast<void>(*static_cast<const volatile char*>(address)); }) <= longest_for_a_cache;
}

#else

bool lies_in_cache(const void*) noexcept { return false; }

#endif

}  // namespace attune::tiled
