#include "bench/read_bandwidth.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/rate_together.hpp"

namespace attune::bench {
namespace {

struct alignas(64) Line {
  std::byte bytes[64];
};

/// Reads the lines, prefetching so many lines ahead of itself (0: not at all), in vectors of one size.
using ReadLines = std::uint64_t (*)(const Line* lines, std::int64_t count, std::int64_t ahead);

// A macro, because a vector that is wider than the target's registers would be taken apart: each function must name its
// target itself.
#define ATTUNE_READ_LINES(function, target, vector_bytes)                                                     \
  target std::uint64_t function(const Line* lines, std::int64_t count, std::int64_t ahead) {                  \
    typedef std::uint64_t Vector __attribute__((vector_size(vector_bytes), may_alias));                       \
    constexpr std::int64_t in_line = 64 / vector_bytes;                                                       \
    const auto* from = reinterpret_cast<const Vector*>(lines);                                                \
    Vector a{}, b{}, c{}, d{};                                                                                \
    for (std::int64_t i = 0; i + 4 / in_line <= count; i += 4 / in_line, from += 4) {                         \
      if (ahead != 0)                                                                                         \
        for (std::int64_t line = 0; line < 4 / in_line; ++line) __builtin_prefetch(lines + i + ahead + line); \
      a += from[0], b += from[1], c += from[2], d += from[3];                                                 \
    }                                                                                                         \
    a += b + c + d;                                                                                           \
    return a[0];                                                                                              \
  }

ATTUNE_READ_LINES(read_16_bytes, , 16)
#if defined(__x86_64__)
ATTUNE_READ_LINES(read_32_bytes, __attribute__((target("avx2"))), 32)
ATTUNE_READ_LINES(read_64_bytes, __attribute__((target("avx512f"))), 64)
#endif
#undef ATTUNE_READ_LINES

/// With the widest vectors that this machine has.
ReadLines widest() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return read_64_bytes;
  if (__builtin_cpu_supports("avx2")) return read_32_bytes;
#endif
  return read_16_bytes;
}

/// One thread's part of the bytes, read in pieces so that reading can stop at a given time.
class Part {
 public:
  Part(const Line* lines, std::int64_t count) : lines_(lines), count_(count) {}

  double read_piece(std::int64_t ahead) {
    constexpr std::int64_t piece = 4096;  // lines: 256 KB
    const std::int64_t count = std::min(piece, count_ - at_);
    seen_ = seen_ + read_(lines_ + at_, count, ahead);
    at_ = at_ + count == count_ ? 0 : at_ + count;
    return static_cast<double>(count) * sizeof(Line);
  }

 private:
  const Line* lines_;
  std::int64_t count_, at_ = 0;
  ReadLines read_ = widest();
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
