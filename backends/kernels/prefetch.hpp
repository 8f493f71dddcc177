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

/// Rows in equal shares, one each time it is asked.
class Prefetcher {
 public:
  /// Enough for all rows in `shares` shares.
  [[gnu::always_inline]] Prefetcher(const attune::kernels::Ahead& ahead, std::int64_t shares)
      : ahead_(ahead), rows_(ahead.rows == 0 ? 0 : (ahead.rows + shares - 1) / shares) {}

  [[gnu::always_inline]] void next_share() {
    for (std::int64_t i = 0; i < rows_ && done_ < ahead_.rows; ++i, ++done_)
      prefetch_row(ahead_.data + done_ * ahead_.stride, ahead_.row_bytes);
  }

 private:
  const attune::kernels::Ahead& ahead_;
  const std::int64_t rows_;  // of a share
  std::int64_t done_ = 0;
};

}  // namespace
