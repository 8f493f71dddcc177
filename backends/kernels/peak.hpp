// The yardsticks of the benches: loops of one arithmetic instruction that touch nothing but registers.
#pragma once

#include "backends/kernels/vector.hpp"

namespace {

/// Runs sum = step(sum) `iterations` times on as many independent sums as a tile has, enough to hide the latency of an
/// instruction, and returns how many elements that were.
template <typename Step>
inline double run_chains(std::int64_t iterations, Step step) {
  constexpr int chains = 2 * tile_rows;
  Vec sum[chains];
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) sum[i] = Vec(static_cast<float>(i));
  for (std::int64_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) sum[i] = step(sum[i]);
  }
  Vec total(0.0f);
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) total = total + sum[i];
  alignas(64) volatile float kept[vector_lanes];  // or the compiler would drop the loop
  store(const_cast<float*>(kept), total);
  return chains * vector_lanes * static_cast<double>(iterations) + 0.0 * static_cast<double>(kept[0]);
}

double multiply_add_peak(std::int64_t iterations) {
  const Vec factor(0.999f), term(0.001f);
  return 2 * run_chains(iterations, [&](Vec sum) { return multiply_add(sum, factor, term); });
}

}  // namespace
