// How the queries of a decode lie in memory: row by row, or several rows by turns where that is what scores are
// computed from.
#pragma once

#include "backends/kernels/row_vector.hpp"

namespace {

constexpr int quad = 4;  // rows in a vector of 16 lanes, and lanes of each

/// Are so many rows taken by fours? (decode_quads.hpp) Elements that are widened come too dear four at a time.
constexpr bool in_quads(int rows, Element keys) { return keys == Element::f32 && rows >= 2 * quad && rows % quad == 0; }

/// Calls f(d, scale · the row's elements from the d-th on, 0 behind the last) for each vector of them, and on to a
/// multiple of 64 bytes.
template <typename F>
inline void for_scaled_vectors(const float* query, std::int64_t dim, float scale, F f) {
  std::int64_t d = 0;
  for (; d + vector_lanes <= dim; d += vector_lanes) f(d, load_unaligned(query + d) * Vec(scale));
  if (d < dim) f(d, load_row_part<Element::f32>(query + d, static_cast<int>(dim - d)) * Vec(scale)), d += vector_lanes;
  for (; d % 16 != 0; d += vector_lanes) f(d, Vec(0.0f));
}

/// By fours they are [row / 4][d / 4][row % 4][d % 4].
void load_decode_query(const float* query, std::int64_t dim, float scale, [[maybe_unused]] Element keys, int row,
                       [[maybe_unused]] int rows, std::int64_t pitch, float* queries) {
#if defined(__AVX512F__)
  if (in_quads(rows, keys)) {
    float* const to = queries + (row - row % quad) * pitch + row % quad * quad;
    return for_scaled_vectors(query, dim, scale,
                              [=](std::int64_t d, Vec part) { store_quarters(to + quad * d, quad * quad, part); });
  }
#endif
  float* const to = queries + row * pitch;
  for_scaled_vectors(query, dim, scale, [=](std::int64_t d, Vec part) { store(to + d, part); });
}

}  // namespace
