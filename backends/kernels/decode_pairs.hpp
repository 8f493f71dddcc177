// A decode on pairs of bf16 (vdpbf16ps): half of the instructions that widened elements take. Pairs are of neighbouring
// head dims in queries and keys, as they lie in memory, and of keys that are used one after the other in weights and
// values: weights are rounded to bf16. Up to six rows lie row by row, more of them in octets.
#pragma once

#include <cstring>

#include "backends/kernels/decode_octet_rows.hpp"
#include "backends/kernels/decode_octet_softmax.hpp"
#include "backends/kernels/decode_octet_values.hpp"
#include "backends/kernels/decode_pair_values.hpp"
#include "backends/kernels/decode_softmax.hpp"

namespace {

constexpr bool in_octets(int rows) { return rows >= octet; }

constexpr std::size_t bytes_of(std::int64_t floats) { return static_cast<std::size_t>(floats) * sizeof(float); }

struct PairScores {
  using Query = std::uint16_t;
  using Operand = Pairs;
  static constexpr Element element = Element::bf16;
  static constexpr int width = row_elements;
  static Operand query(const Query* p) { return _mm512_load_si512(p); }
  static Operand load(const std::uint16_t* p) { return in_register(_mm512_loadu_si512(p)); }
  static Operand load_part(const std::uint16_t* p, int count) { return load_some_pairs(p, count); }
  static Vec add(Vec sum, Operand key, Operand query) { return dot_pairs(sum, key, query); }
};

/// Rows alone are [row][d], octets and what is left of them [d / 4][row][d % 4].
void load_decode_query_pairs(const std::uint16_t* query, std::int64_t dim, int row, int rows, std::int64_t pitch,
                             std::uint16_t* queries) {
  constexpr std::int64_t piece = octet_width;
  const OctetOf of(row, rows);
  std::uint16_t* to = queries + (in_octets(rows) ? of.first * pitch + (row - of.first) * piece : row * pitch);
  const std::int64_t apart = in_octets(rows) ? of.rows * piece : piece;
  std::int64_t d = 0;
  for (; d + piece <= dim; d += piece, to += apart) std::memcpy(to, query + d, piece * sizeof *to);
  const std::int64_t end = (dim + row_elements - 1) / row_elements * row_elements;
  for (; d < end; d += piece, to += apart) {
    std::memset(to, 0, piece * sizeof *to);
    if (d < dim) std::memcpy(to, query + d, static_cast<std::size_t>(dim - d) * sizeof *to);
  }
}

void decode_pair_scores(const std::uint16_t* queries, int rows, std::int64_t pitch, std::int64_t dim, float scale,
                        const StoredRows& keys, std::int64_t first, float* scores, std::int64_t score_pitch) {
  if (in_octets(rows))
    octet_scores_of<OctetScores>(queries, rows, pitch, dim, scale, {keys, dim}, scores + first * rows);
  else
    decode_scores_of<PairScores>(queries, rows, pitch, dim, scale, {keys, dim}, scores + first, score_pitch);
}

void read_pair_scores(const float* scores, int rows, std::int64_t score_pitch, int row, std::int64_t key_count,
                      float* to) {
  if (in_octets(rows)) return rows_from_octet(scores, rows, row, key_count, to, score_pitch);
  for (int r = 0; r < rows; ++r) std::memcpy(to + r * score_pitch, scores + r * score_pitch, bytes_of(key_count));
}

void write_pair_scores(const float* from, int rows, std::int64_t score_pitch, int row, std::int64_t key_count,
                       float* scores) {
  if (in_octets(rows)) return octet_from_rows(from, score_pitch, rows, row, key_count, scores);
  for (int r = 0; r < rows; ++r) std::memcpy(scores + r * score_pitch, from + r * score_pitch, bytes_of(key_count));
}

void hide_pair_keys(float* scores, int rows, std::int64_t score_pitch, int row, std::int64_t begin, std::int64_t end) {
  for (std::int64_t key = begin; key < end; ++key)
    scores[in_octets(rows) ? score_place(row, rows, key) : row * score_pitch + key] = -__builtin_inff();
}

void decode_pair_softmax(float* scores, int rows, std::int64_t score_pitch, std::int64_t key_count, bool natural,
                         float* m, float* l) {
  if (in_octets(rows)) return octets_softmax(scores, rows, key_count, natural, m, l);
  const std::int64_t padded = (key_count + tile_lanes - 1) / tile_lanes * tile_lanes;
  for (int r = 0; r < rows; ++r) {
    float* const of_row = scores + r * score_pitch;
    for (std::int64_t key = key_count; key < padded; ++key) of_row[key] = -__builtin_inff();
    softmax_row_of<4>(of_row, padded, natural, m + r, l + r, [=](const Vec* weights, std::int64_t key) {
      _mm512_store_si512(of_row + key / 2, (Pairs)_mm512_cvtne2ps_pbh(weights[1], weights[0]));
    });
  }
}

void decode_pair_weighted_sum(const float* scores, int rows, std::int64_t score_pitch, std::int64_t first,
                              const StoredRows& values, std::int64_t dim, bool careful, float* sums,
                              std::int64_t pitch) {
  const auto* weights = reinterpret_cast<const std::uint16_t*>(scores);
  if (in_octets(rows))
    octets_weighted_sum(weights + 2 * first * rows, rows, {values, dim}, dim, careful, {sums, pitch});
  else
    decode_weighted_sum_of<PairValues>({weights + first, 2 * score_pitch}, rows, {values, dim}, dim, careful,
                                       {sums, pitch});
}

}  // namespace
