// How the queries of a decode lie in memory: row by row, or several rows by turns where that is what scores are
// computed from.
#pragma once

#include "backends/kernels/row_vector.hpp"

namespace {

constexpr int quad = 4;  // rows in a vector of 16 lanes, and lanes of each

/// Are so many rows taken by fours? (decode_quads.hpp) Elements that are widened come too dear four at a time.
constexpr bool in_quads(int rows, Element keys) {
  return vector_lanes == quad * quad && keys == Element::f32 && rows >= 2 * quad && rows % quad == 0;
}

/// Rows that lie by turns, [d / width][row][d % width].
struct RowsByTurns {
  int first, rows;
  std::int64_t width;
};

/// The row-th row of queries, which is one of those: element(d) for d < dim, and 0 up to a multiple of 64 bytes.
template <typename T, typename F>
inline void load_query_of(F element, std::int64_t dim, const RowsByTurns& of, int row, std::int64_t pitch, T* queries) {
  constexpr auto line = static_cast<std::int64_t>(64 / sizeof(T));
  T* to = queries + of.first * pitch + (row - of.first) * of.width;
  const std::int64_t end = (dim + line - 1) / line * line;
  for (std::int64_t d = 0; d < end; d += of.width, to += of.rows * of.width)
    for (std::int64_t i = 0; i < of.width; ++i) to[i] = d + i < dim ? element(d + i) : T{};
}

/// A row by itself.
template <typename T, typename F>
inline void load_query_of(F element, std::int64_t dim, int row, std::int64_t pitch, T* queries) {
  load_query_of(element, dim, {row, 1, 64 / static_cast<std::int64_t>(sizeof(T))}, row, pitch, queries);
}

void load_decode_query(const float* query, std::int64_t dim, float scale, Element keys, int row, int rows,
                       std::int64_t pitch, float* queries) {
  const auto scaled = [=](std::int64_t d) { return query[d] * scale; };
  if (in_quads(rows, keys))
    load_query_of(scaled, dim, {row - row % quad, quad, quad}, row, pitch, queries);
  else
    load_query_of(scaled, dim, row, pitch, queries);
}

}  // namespace
