// Asking for rows that will be read soon. What a core cannot have outstanding at once it would wait for, so tiles
// spread their requests: a few rows between one tile and the next.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/kernels/kernels.hpp"

namespace {

/// (Inlined always: g++ drops calls of functions that do nothing but prefetch.) Into L2, where the next block is to
/// wait while this one has L1.
[[gnu::always_inline]] inline void prefetch_row(const std::byte* row, std::int64_t bytes) {
  for (std::int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(row + at, 0, 2);
}

/// The rows that fall to step `done` … `until` − 1 of `steps`.
[[gnu::always_inline]] inline void prefetch_share(const attune::kernels::Ahead& ahead, std::int64_t done,
                                                  std::int64_t until, std::int64_t steps) {
  if (ahead.rows == 0 || done == until) return;
  const std::int64_t end = ahead.rows * until / steps;
  for (std::int64_t row = ahead.rows * done / steps; row < end; ++row)
    prefetch_row(ahead.data + row * ahead.stride, ahead.row_bytes);
}

}  // namespace
