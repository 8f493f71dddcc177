#include "bench/read_bandwidth.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "engine/rate_together.hpp"

namespace attune::bench {
namespace {

struct alignas(64) Line {
  std::byte bytes[64];
};

/// In what order a piece of memory is read: four lines at a time in order, or one from each of eight places that lie
/// equally far apart. What will be read so many steps later is prefetched (0: nothing is), also from the piece behind.
struct Way {
  bool places;
  std::int64_t ahead;
};

/// In order, without prefetches and with 2 and 8 KB ahead of the reading; from eight places with 2 and 8 KB, which
/// memory in pages of 4 KB may deliver faster by a third.
constexpr Way ways[] = {{false, 0}, {false, 8}, {false, 32}, {true, 4}, {true, 16}};

constexpr std::int64_t lines_in_piece = 8192;  // 512 KB

/// Reads a piece of `count` lines; those that fill no step at its end.
using ReadPiece = std::uint64_t (*)(const Line* lines, std::int64_t count, Way way);

// A macro, because a vector that is wider than the target's registers would be taken apart: each function must name its
// target itself.
#define ATTUNE_READ_PIECE(function, target, vector_bytes)                                                           \
  target std::uint64_t function(const Line* lines, std::int64_t count, Way way) {                                   \
    typedef std::uint64_t Vector __attribute__((vector_size(vector_bytes), may_alias));                             \
    constexpr std::int64_t in_line = 64 / vector_bytes;                                                             \
    const std::int64_t in_step = way.places ? 8 : 4, steps = count / in_step;                                       \
    const std::int64_t step = way.places ? 1 : in_step, apart = way.places ? steps : 1;                             \
    const std::int64_t behind = count - steps * step; /* from a step to that of the next piece */                   \
    Vector sum[4] = {};                                                                                             \
    for (std::int64_t i = 0; i < steps; ++i) {                                                                      \
      const Line* now = lines + i * step;                                                                           \
      const Line* later = now + way.ahead * step + (i + way.ahead < steps ? 0 : behind);                            \
      for (std::int64_t k = 0; k < in_step; k += 4, now += 4 * apart, later += 4 * apart) {                         \
        if (way.ahead != 0)                                                                                         \
          for (std::int64_t j = 0; j < 4; ++j) __builtin_prefetch(later + j * apart, 0, 2);                         \
        for (std::int64_t j = 0; j < 4; ++j)                                                                        \
          for (std::int64_t v = 0; v < in_line; ++v) sum[j] += reinterpret_cast<const Vector*>(now + j * apart)[v]; \
      }                                                                                                             \
    }                                                                                                               \
    for (std::int64_t i = steps * in_step; i < count; ++i)                                                          \
      for (std::int64_t v = 0; v < in_line; ++v) sum[0] += reinterpret_cast<const Vector*>(lines + i)[v];           \
    sum[0] += sum[1] + sum[2] + sum[3];                                                                             \
    return sum[0][0];                                                                                               \
  }

ATTUNE_READ_PIECE(read_16_bytes, , 16)
#if defined(__x86_64__)
ATTUNE_READ_PIECE(read_32_bytes, __attribute__((target("avx2"))), 32)
ATTUNE_READ_PIECE(read_64_bytes, __attribute__((target("avx512f"))), 64)
#endif
#undef ATTUNE_READ_PIECE

/// With the widest vectors that this machine has.
ReadPiece widest() {
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

  double read_piece(Way way) {
    const std::int64_t count = std::min(lines_in_piece, count_ - at_);
    seen_ = seen_ + read_(lines_ + at_, count, way);
    at_ = at_ + count == count_ ? 0 : at_ + count;
    return static_cast<double>(count) * sizeof(Line);
  }

 private:
  const Line* lines_;
  std::int64_t count_, at_ = 0;
  ReadPiece read_ = widest();
  volatile std::uint64_t seen_ = 0;  // or the compiler would drop the loop
};

}  // namespace

double measure_read_bandwidth(std::span<const std::byte> bytes, Executor& executor, double seconds) {
  const auto* lines = reinterpret_cast<const Line*>(bytes.data());
  const auto count = static_cast<std::int64_t>(bytes.size() / sizeof(Line));
  const int threads = executor.num_threads();
  std::vector<Part> parts;
  for (int t = 0; t < threads; ++t)
    parts.emplace_back(lines + count * t / threads, count * (t + 1) / threads - count * t / threads);
  double best = 0;
  for (const Way way : ways) {
    const auto read = [&](std::int64_t thread) { return parts[static_cast<std::size_t>(thread)].read_piece(way); };
    best = std::max(best, rate_together(executor, seconds / static_cast<double>(std::size(ways)), read));
  }
  return best;
}

}  // namespace attune::bench
