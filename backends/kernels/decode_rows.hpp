// What the score and the value kernel of a decode share: how rows of queries are taken together, and where the rows of
// keys and values are.
#pragma once

#include "backends/kernels/row_vector.hpp"

namespace {

using attune::kernels::Fetch;
using attune::kernels::in_order;
using attune::kernels::StoredRows;
using attune::kernels::streams;

/// Bytes between what is read and what is asked for, which goes to L2. Measured from memory, 4 rows of f32 on one Zen 4
/// core: 6 GB/s without, 9 with what is asked for going to L1 (2 to 64 KB ahead), 17 to 20 by L2 at 32 KB, 20 from 64
/// on.
constexpr std::int64_t far_bytes = 65536;

/// Rows from memory are asked for again at these distances, scores of 4 rows and more only at the second. A core
/// forgets what it is asked for while too many lines are on their way: of lines asked for at 40 GB/s 1 to 4 % by fours
/// and up to 8 % by 32. Rows in L2 are multiplied at 45 GB/s and more, nothing but a forgotten line slows that down to
/// the pace of memory, and waiting for one takes as long as forty others. Values of 4 rows of f32: 19 GB/s without, 23
/// with the second, 25 with both; where they come from L3, that costs 10 % of 49.
constexpr std::int64_t near_bytes = 16384, nearer_bytes = 8192;

/// Bytes between what is read and what is asked for by Fetch::in_order. Measured on one Zen 5 core, 4 rows of f32: from
/// memory 36 GB/s and 26 GB/s with all that is above, from L3 81 and 56, where reading alone comes to 40 and 110. That
/// core fetches one or two places in memory ahead by itself, by more lines at a time than it can be asked for, but not
/// four or eight; so the lines must be asked for in order, half of them by a pass over half of the columns too. 12 KB
/// are as good, 4 and 32 are not, L2 as target is slower by a tenth. To ask costs about a cycle a line: keys that a
/// cache holds are scored a quarter faster if nobody asks (4 rows of f32 70 -> 87 GB/s from L3; values are no faster),
/// but at half of the pace where they come from memory after all, as a layer's do in a model that has used the cache
/// for its weights meanwhile; to ask for every second line gains a third of the one and loses a tenth of the other.
constexpr std::int64_t in_order_bytes = 16384;

/// Elements in a line of cache.
template <typename T>
constexpr std::int64_t line_elements = 64 / static_cast<std::int64_t>(sizeof(T));

template <int cache = 2>
inline void prefetch_line(const void* p) {
  __builtin_prefetch(p, 0, cache == 1 ? 3 : 2);
  asm volatile("");  // or g++ drops calls of functions that do nothing else, as it holds them to be without effect
}
inline void prefetch_line(const void* p, std::intptr_t behind) {
  prefetch_line(reinterpret_cast<const void*>(reinterpret_cast<std::intptr_t>(p) + behind));
}

/// Rows of one type of elements in their order of use, which is that of place_in_streams() or of memory. They are used
/// in rounds of one row of each stream; rows in the order of memory are streams that lie one row apart.
template <Element E>
struct RowsOf {
  using Type = StoredAs<E>;

  RowsOf(const StoredRows& rows, std::int64_t dim)
      : data(static_cast<const Type*>(rows.data)),
        next(static_cast<const Type*>(rows.next)),
        stride(rows.stride),
        count(rows.count),
        fetch(rows.fetch),
        bytes(dim * static_cast<std::int64_t>(sizeof(Type))),
        in_rounds(count / streams * streams),
        apart(rows.in_streams ? count / streams * stride : stride),
        step(rows.in_streams ? stride : streams * stride),
        far(rows_within(in_order(fetch) ? in_order_bytes : far_bytes)),
        near(rows_within(near_bytes)),
        nearer(rows_within(nearer_bytes)) {}

  /// The row used as the i-th, where a round begins or after the last one.
  const Type* row(std::int64_t i) const { return data + (i < in_rounds ? i / streams * step : i * stride); }

  /// The row used `ahead` rows after the i-th, a round beginning with each; any address will do for a prefetch.
  const Type* row_ahead(std::int64_t i, std::int64_t ahead) const {
    const std::int64_t at = i + ahead;
    return at < in_rounds || next == nullptr ? data + at / streams * step : next + (at - in_rounds) / streams * step;
  }

  /// How many bytes that is behind the i-th in memory.
  std::intptr_t bytes_ahead(std::int64_t i, std::int64_t ahead) const {
    return reinterpret_cast<std::intptr_t>(row_ahead(i, ahead)) - reinterpret_cast<std::intptr_t>(row(i));
  }

  /// The N rows used from the i-th on, the last one again where there are no more. N and i are multiples of `streams`.
  template <int N>
  void next_rows(std::int64_t i, const Type** rows) const {
    for (int k = 0; k < N; k += streams)
      if (i + k < in_rounds)
        round(row(i + k), rows + k);
      else
        for (int s = k; s < k + streams; ++s) rows[s] = data + (i + s < count ? i + s : count - 1) * stride;
  }

  /// What is to be asked for while they are used, for the first time.
  template <int N>
  void rows_ahead(std::int64_t i, const Type** rows) const {
    for (int k = 0; k < N; k += streams) round(row_ahead(i + k, far), rows + k);
  }

  const Type* data;
  const Type* next;
  std::int64_t stride, count;
  Fetch fetch;
  std::int64_t bytes;              // of a row
  std::int64_t in_rounds;          // rows; the others are used after them, in the order of memory
  std::int64_t apart, step;        // from one row of a round to the next, and from round to round, in elements
  std::int64_t far, near, nearer;  // so many rows ahead is what is to be asked for, a multiple of `streams`

 private:
  /// No more than the rows that follow these.
  std::int64_t rows_within(std::int64_t distance) const {
    const std::int64_t fit = distance / (bytes > 0 ? bytes : 1) + 1;
    return (fit < count ? fit : count) / streams * streams;
  }
  void round(const Type* first, const Type** rows) const {
#pragma GCC unroll 8
    for (int s = 0; s < streams; ++s) rows[s] = first + s * apart;
  }
};

/// The lines of rows that will be used, in the order of memory, to be asked for one after the other.
template <Element E>
class LinesAhead {
 public:
  struct Piece {  // of memory without gaps
    const char* line;
    const char* end;
  };

  /// From the row on that comes `rows.far` after the i-th.
  LinesAhead(const RowsOf<E>& rows, std::int64_t i)
      : rows_(rows),
        row_(i + rows.far),
        whole_(rows.stride * static_cast<std::int64_t>(sizeof(StoredAs<E>)) == rows.bytes) {
    piece = following();
  }

  /// What follows when a piece has been asked for. Not in line, for the sake of the many places that ask.
  [[gnu::noinline, gnu::cold]] Piece next_piece() { return following(); }

  Piece piece;

 private:
  [[gnu::always_inline]] Piece following() {
    const bool ends = row_ < rows_.count || rows_.next == nullptr;
    const auto* first = ends ? rows_.data + row_ * rows_.stride : rows_.next + (row_ - rows_.count) * rows_.stride;
    const std::int64_t rows = !whole_ ? 1 : row_ < rows_.count ? rows_.count - row_ : rows_.count;
    row_ += rows;
    const auto* line = reinterpret_cast<const char*>(first);
    return {line, line + rows * rows_.bytes};
  }

  const RowsOf<E>& rows_;
  std::int64_t row_;  // of the next piece
  bool whole_;        // no gaps between rows
};

/// Asks for so many lines.
template <int count, Element E>
[[gnu::always_inline]] inline void ask_for_lines(LinesAhead<E>& ahead, typename LinesAhead<E>::Piece& piece) {
#pragma GCC unroll 8
  for (int i = 0; i < count; ++i) {
    prefetch_line<1>(piece.line);
    piece.line += 64;
    if (piece.line >= piece.end) [[unlikely]] {
      const auto next = ahead.next_piece();
      piece.line = next.line;
      piece.end = next.end;
    }
  }
}

/// The policy P of a score or value kernel, for rows that are fetched so.
template <typename P, Fetch how>
struct Fetching : P {
  using Policy = P;
  static constexpr Fetch fetch = how;
};

/// f.operator()<Fetching<P, …>>() for the way at hand: `from_memory` and `from_cache` are those for what is in order.
template <typename P, Fetch from_memory, Fetch from_cache, typename F>
inline auto with_fetch(Fetch fetch, F f) {
  switch (fetch) {
    case Fetch::far_and_near:
      return f.template operator()<Fetching<P, Fetch::far_and_near>>();
    case Fetch::in_order:
      return f.template operator()<Fetching<P, Fetch::in_order>>();
    case Fetch::in_order_from_memory:
      return f.template operator()<Fetching<P, from_memory>>();
    case Fetch::in_order_from_cache:
      return f.template operator()<Fetching<P, from_cache>>();
    default:
      return f.template operator()<Fetching<P, Fetch::far>>();
  }
}

/// Which part of what is ahead a group of rows asks for: every `of`-th piece from `index` on.
struct Share {
  int index, of;
};

/// As few as there can be if none is to have more than `most`.
constexpr int groups_for(int rows, int most) { return (rows + most - 1) / most; }

/// Rows in so many groups, as equal as they can be. Made once for all turns, as it divides.
class RowGroups {
 public:
  RowGroups(int rows, int count)
      : count_(count), size_(rows / (count > 0 ? count : 1)), larger_(rows - size_ * count) {}

  /// Calls f(first row, how many, share) for each.
  template <typename F>
  void for_each(F f) const {
    for (int group = 0, first = 0; group < count_; ++group) {
      const int size = size_ + (group < larger_ ? 1 : 0);
      f(first, size, Share{group, count_});
      first += size;
    }
  }

 private:
  int count_, size_, larger_;
};

}  // namespace
