// What the score and the value kernel of a decode share: how rows of queries are taken together, and where the rows of
// keys and values are.
#pragma once

#include "backends/kernels/row_vector.hpp"

namespace {

using attune::kernels::StoredRows;

constexpr int max_decode_rows = 4;  // that take a key together

/// Bytes between what is read and what is asked for, which goes to L2. Measured from memory, 4 rows of f32 on one Zen 4
/// core: 6 GB/s without, 9 with what is asked for going to L1 (2 to 64 KB ahead), 17 to 20 by L2 at 32 KB, 20 from 64
/// on.
constexpr std::int64_t prefetch_distance = 65536;

inline void prefetch_line(const char* p) { __builtin_prefetch(p, 0, 2); }

/// The same in rows of so many bytes, but no further than the rows that follow these.
inline std::int64_t rows_ahead(std::int64_t bytes, std::int64_t count) {
  const std::int64_t rows = prefetch_distance / (bytes > 0 ? bytes : 1);
  return rows < count ? rows + 1 : count;
}

/// Rows of one type of elements.
template <Element E>
struct RowsOf {
  using Type = StoredAs<E>;

  RowsOf(const StoredRows& rows, std::int64_t dim)
      : data(static_cast<const Type*>(rows.data)),
        next(static_cast<const char*>(rows.next)),
        stride(rows.stride),
        count(rows.count),
        bytes(dim * static_cast<std::int64_t>(sizeof(Type))),
        ahead(rows_ahead(bytes, rows.count)) {}

  /// Row i, or the last one where there is none.
  const Type* row(std::int64_t i) const { return data + (i < count ? i : count - 1) * stride; }

  /// Where the row lies that is to be asked for while row i is used; any address will do for a prefetch.
  const char* ahead_of(std::int64_t i) const {
    const std::int64_t at = i + ahead;
    const auto row_bytes = stride * static_cast<std::int64_t>(sizeof(Type));
    return at < count || next == nullptr ? reinterpret_cast<const char*>(data) + at * row_bytes
                                         : next + (at - count) * row_bytes;
  }

  const Type* data;
  const char* next;
  std::int64_t stride, count, bytes, ahead;
};

/// Calls f(first row, how many) for groups of at most max_decode_rows rows, as equal as they can be.
template <typename F>
inline void for_row_groups(int rows, F f) {
  const int groups = (rows + max_decode_rows - 1) / max_decode_rows;
  for (int group = 0, first = 0; group < groups; ++group) {
    const int size = rows / groups + (group < rows % groups ? 1 : 0);
    f(first, size);
    first += size;
  }
}

}  // namespace
