// What the score and the value kernel of a decode share: how rows of queries are taken together, and where the rows of
// keys and values are.
#pragma once

#include "backends/kernels/row_vector.hpp"

namespace {

using attune::kernels::offset_in_streams;
using attune::kernels::StoredRows;
using attune::kernels::streams;

/// Bytes between what is read and what is asked for, which goes to L2. Measured from memory, 4 rows of f32 on one Zen 4
/// core: 6 GB/s without, 9 with what is asked for going to L1 (2 to 64 KB ahead), 17 to 20 by L2 at 32 KB, 20 from 64
/// on.
constexpr std::int64_t prefetch_distance = 65536;

inline void prefetch_line(const void* p) { __builtin_prefetch(p, 0, 2); }

/// Rows of one type of elements in their order of use, which is that of place_in_streams() or of memory.
template <Element E>
struct RowsOf {
  using Type = StoredAs<E>;

  RowsOf(const StoredRows& rows, std::int64_t dim)
      : data(static_cast<const Type*>(rows.data)),
        next(static_cast<const Type*>(rows.next)),
        stride(rows.stride),
        count(rows.count),
        bytes(dim * static_cast<std::int64_t>(sizeof(Type))),
        in_stream(rows.in_streams ? rows.count / streams : 0),
        apart(in_stream * rows.stride) {
    // No further ahead than the rows that follow these.
    const std::int64_t fit = prefetch_distance / (bytes > 0 ? bytes : 1) + 1;
    ahead = (fit < count ? fit : count) / streams * streams;
  }

  /// Are the n rows used from the i-th on, i a multiple of `streams`, in streams?
  bool streamed(std::int64_t i, std::int64_t n) const { return i + n <= in_stream * streams; }

  /// The row used as the i-th.
  const Type* row(std::int64_t i) const { return data + (streamed(i, 1) ? offset(i) : i * stride); }

  /// What is to be asked for while that is used; any address will do for a prefetch.
  const Type* row_ahead(std::int64_t i) const {
    const std::int64_t all = in_stream > 0 ? in_stream * streams : count, at = i + ahead;
    const std::int64_t place = at < all || next == nullptr ? at : at - all;
    return (place == at ? data : next) + (in_stream > 0 ? offset(place) : place * stride);
  }

  /// Rows used from the i-th on, the last one again where there are no more; i is a multiple of N.
  template <int N>
  void next_rows(std::int64_t i, const Type* (&rows)[static_cast<std::size_t>(N)]) const {
    if (even<N> && streamed(i, N)) return strew<N>(row(i), rows);
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) rows[k] = row(i + k < count ? i + k : count - 1);
  }

  /// What is to be asked for while those are used.
  template <int N>
  void rows_ahead(std::int64_t i, const Type* (&rows)[static_cast<std::size_t>(N)]) const {
    if (even<N> && in_stream > 0) return strew<N>(row_ahead(i), rows);
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) rows[k] = row_ahead(i + k);
  }

  const Type* data;
  const Type* next;
  std::int64_t stride, count, bytes, ahead;
  std::int64_t in_stream;  // rows of each stream; 0 without streams
  std::int64_t apart;      // from a row to the one used after it, in elements

 private:
  std::int64_t offset(std::int64_t i) const { return offset_in_streams(i, apart, stride); }

  template <int N>
  static constexpr bool even = N % streams == 0 || streams % N == 0;

  /// The first and those used after it, whose offsets from it do not depend on where that is.
  template <int N>
  void strew(const Type* first, const Type* (&rows)[static_cast<std::size_t>(N)]) const {
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) rows[k] = first + offset(k);
  }
};

/// Calls f(first row, how many) for groups of at most `most` rows, as equal as they can be.
template <typename F>
inline void for_row_groups(int rows, int most, F f) {
  const int groups = (rows + most - 1) / most;
  for (int group = 0, first = 0; group < groups; ++group) {
    const int size = rows / groups + (group < rows % groups ? 1 : 0);
    f(first, size);
    first += size;
  }
}

}  // namespace
