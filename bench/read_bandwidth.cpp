#include "bench/read_bandwidth.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/rate_together.hpp"

// The widest loads that the machine has, whatever the rest is compiled for.
#if defined(__x86_64__)
#define ATTUNE_WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ATTUNE_WIDEST
#endif

namespace attune::bench {
namespace {

/// A cache line, or a vector of AVX-512.
typedef std::uint64_t Line __attribute__((vector_size(64), may_alias));

/// Reads the lines, prefetching so many lines ahead of itself (0: not at all).
ATTUNE_WIDEST std::uint64_t read_lines(const Line* lines, std::int64_t count, std::int64_t ahead) {
  constexpr int chains = 8;
  Line sum[chains] = {};
  if (ahead == 0) {
    for (std::int64_t i = 0; i + chains <= count; i += chains)
      for (int c = 0; c < chains; ++c) sum[c] += lines[i + c];
  } else {
    for (std::int64_t i = 0; i + chains <= count; i += chains)
      for (int c = 0; c < chains; ++c) {
        __builtin_prefetch(lines + i + c + ahead);
        sum[c] += lines[i + c];
      }
  }
  for (int c = 1; c < chains; ++c) sum[0] += sum[c];
  return sum[0][0];
}

/// One thread's part of the bytes, read in pieces so that reading can stop at a given time.
class Part {
 public:
  Part(const Line* lines, std::int64_t count) : lines_(lines), count_(count) {}

  double read_piece(std::int64_t ahead) {
    constexpr std::int64_t piece = 4096;  // lines: 256 KB
    const std::int64_t count = std::min(piece, count_ - at_);
    seen_ = seen_ + read_lines(lines_ + at_, count, ahead);
    at_ = at_ + count == count_ ? 0 : at_ + count;
    return static_cast<double>(count) * sizeof(Line);
  }

 private:
  const Line* lines_;
  std::int64_t count_, at_ = 0;
  volatile std::uint64_t seen_ = 0;  // or the compiler would drop the loop
};

}  // namespace

double measure_read_bandwidth(std::span<const std::byte> bytes, Executor& executor, double seconds) {
  const auto* lines = reinterpret_cast<const Line*>(bytes.data());
  const auto count = static_cast<std::int64_t>(bytes.size() / sizeof(Line));
  const int threads = executor.num_threads();
  double best = 0;
  for (const std::int64_t ahead : {0, 32, 128}) {  // lines: none, 2 KB, 8 KB
    std::vector<Part> parts;
    for (int t = 0; t < threads; ++t)
      parts.emplace_back(lines + count * t / threads, count * (t + 1) / threads - count * t / threads);
    const auto read = [&](std::int64_t thread) { return parts[static_cast<std::size_t>(thread)].read_piece(ahead); };
    best = std::max(best, rate_together(executor, seconds / 3, read));
  }
  return best;
}

}  // namespace attune::bench
