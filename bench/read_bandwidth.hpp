// The yardstick of memory: reading a buffer from one end to the other and doing nothing with it.
#pragma once

#include <cstddef>
#include <span>

#include <attune/executor.hpp>

namespace attune::bench {

/// Bytes per second that all threads of the executor read together, each its own part of the bytes again and again:
/// the best of plain reading and of reading with prefetches ahead, each over about a third of that many seconds.
double measure_read_bandwidth(std::span<const std::byte> bytes, Executor& executor, double seconds);

}  // namespace attune::bench
