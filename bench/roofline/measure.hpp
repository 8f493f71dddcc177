// One row of the roofline: checked, then timed between measurements of the machine's limits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <attune/attune.hpp>

#include "bench/roofline/rows.hpp"

namespace attune::bench {

/// What the machine does each second on so many threads, once at the start of a run: for people to read. Shares are
/// taken of limits measured beside each row.
struct MachineLimits {
  int threads = 1;
  double multiply_add = 0, bf16_pairs = 0;  // operations; 0 where the instruction set lacks them
  double cached_read = 0, memory_read = 0;  // bytes, from 12 MiB and from 128 MiB
};

MachineLimits measure_machine(Isa isa, Executor& executor);

struct Settings {
  std::vector<std::shared_ptr<Executor>> executors;  // one for each thread count to measure, ascending
  double seconds = 0.5;                              // for each row, its preparation not counted
  std::string backend;                               // empty: the engine's choice
};

/// What a row came to on one number of threads: medians over the samples.
struct Reading {
  int threads = 1;
  std::string backend;       // that ran
  double seconds = 0;        // of a call
  double limit = 0;          // operations or bytes that the machine does each second
  double share = 0;          // of the limit; of Limit::dispatch: microseconds beyond the kernel
  double low = 0, high = 0;  // the quartiles of the share
};

struct Result {
  Row row;
  std::vector<Reading> readings;  // one for each executor
  double scaling = 0;             // the last reading's share of what binds it over the first one's; 0 with one executor
  double flops = 0, bytes = 0;    // of a call: operations; keys and values as stored
  Difference difference;          // from naive; with a fault nothing was timed
};

/// Throws Error where a backend that was asked for does not take the row.
Result measure(Engine& engine, const Row& row, const Settings& settings);

}  // namespace attune::bench
