// How the queries of a decode lie in memory: row by row, or by fours where that is what scores are computed from.
#pragma once

#include "backends/kernels/row_vector.hpp"

namespace {

constexpr int quad = 4;  // rows in a vector of 16 lanes, and lanes of each

/// Are so many rows taken by fours? (decode_quads.hpp)
constexpr bool in_quads(int rows) { return vector_lanes == quad * quad && rows >= 2 * quad && rows % quad == 0; }

/// And where keys are not pairs? Elements that are widened come too dear four at a time.
constexpr bool in_quads(int rows, Element keys) { return keys == Element::f32 && in_quads(rows); }

/// Elements of each row in such a vector: four floats, or four pairs.
template <typename T>
constexpr std::int64_t quad_width = 16 / static_cast<std::int64_t>(sizeof(T));

/// The row-th row of queries: element(d) for d < dim, and 0 up to a multiple of 64 bytes. By fours they are
/// [row / 4][d / width][row % 4][d % width].
template <typename T, typename F>
inline void load_query_of(F element, std::int64_t dim, bool by_fours, int row, std::int64_t pitch, T* queries) {
  constexpr std::int64_t width = quad_width<T>;
  T* to = queries + (by_fours ? (row - row % quad) * pitch + row % quad * width : row * pitch);
  const std::int64_t end = (dim + quad * width - 1) / (quad * width) * (quad * width);
  for (std::int64_t d = 0; d < end; d += width, to += by_fours ? quad * width : width) {
    T piece[static_cast<std::size_t>(width)] = {};
    if (d + width <= dim)
      for (std::int64_t i = 0; i < width; ++i) piece[i] = element(d + i);
    else
      for (std::int64_t i = 0; d + i < dim; ++i) piece[i] = element(d + i);
    std::memcpy(to, piece, sizeof piece);
  }
}

void load_decode_query(const float* query, std::int64_t dim, float scale, Element keys, int row, int rows,
                       std::int64_t pitch, float* queries) {
  const auto scaled = [=](std::int64_t d) { return query[d] * scale; };
  load_query_of(scaled, dim, in_quads(rows, keys), row, pitch, queries);
}

}  // namespace
