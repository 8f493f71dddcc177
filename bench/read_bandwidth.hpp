// The yardstick of memory: reading all of a buffer and doing nothing with it, in the order that is fastest.
#pragma once

#include <cstddef>
#include <span>

#include <attune/executor.hpp>

namespace attune::bench {

/// Bytes per second that all threads of the executor read together, each its own part of the bytes again and again: the
/// best of several ways, in order or from eight places in turn, plain or with prefetches ahead, which share so many
/// seconds.
double measure_read_bandwidth(std::span<const std::byte> bytes, Executor& executor, double seconds);

}  // namespace attune::bench
