// Rows of bf16 in and out of tiles of pairs. Needs the 16-bit operations of AVX-512.
#pragma once

#include <algorithm>

#include "backends/kernels/half.hpp"
#include "backends/kernels/pairs.hpp"
#include "backends/kernels/tile_io.hpp"

namespace {

/// Pairs are moved as floats are, whatever their bits: nothing computes with them.
void load_pair_rows(const std::uint16_t* const* rows, int count, std::int64_t dim, std::uint32_t* tile) {
  const float* pairs[tile_lanes];
  for (int lane = 0; lane < count; ++lane) pairs[lane] = reinterpret_cast<const float*>(rows[lane]);
  load_changed_rows(pairs, count, dim / 2, [](auto x) { return x; }, reinterpret_cast<float*>(tile));
}

/// (low, high) of each lane, rounded to bf16 as narrow_row() does.
inline Pairs narrow_pair(Vec low, Vec high) {
  return _mm512_mask_mov_epi16(_mm512_srli_epi32(rounded_to_bf16(low), 16), 0xaaaaaaaa, rounded_to_bf16(high));
}

/// A tile's columns of one vector of lanes on their way to rows of bf16: they become pairs before they become rows,
/// half as much to transpose and to store.
class PairColumns {
 public:
  PairColumns(const float* tile, Vec factor) : tile_(tile), factor_(factor) {}

  /// rows[r] from element d on, as many columns as a vector has elements.
  void store(std::int64_t d, std::uint16_t* const* rows, int count) {
    Square pairs;
    each<vector_lanes>([&](int i) { pairs[i] = pair(d + 2 * i); });
    transpose(pairs);
    each<vector_lanes>([&](int i) {
      if (i < count) _mm512_storeu_si512(rows[i] + d, _mm512_castps_si512(pairs[i]));
    });
  }

  /// The last `left` columns, fewer than that; beside them stand zeros that are not stored.
  void store_last(std::int64_t d, int left, std::uint16_t* const* rows, int count) {
    Square pairs;
    each<vector_lanes>([&](int i) {
      pairs[i] = Vec(0.0f);
      if (2 * i + 1 < left)
        pairs[i] = pair(d + 2 * i);
      else if (2 * i < left)
        pairs[i] = _mm512_castsi512_ps(narrow_pair(scaled<0>(d + 2 * i), Vec(0.0f)));
    });
    transpose(pairs);
    const auto mask = static_cast<__mmask32>((1u << left) - 1);
    each<vector_lanes>([&](int i) {
      if (i < count) _mm512_mask_storeu_epi16(rows[i] + d, mask, _mm512_castps_si512(pairs[i]));
    });
  }

  /// Were all columns so far finite in the first `count` lanes?
  bool finite(int count) const { return all_zero(check_[0] + check_[1], count); }

 private:
  template <int half>
  Vec scaled(std::int64_t d) {
    const Vec column = load(tile_ + d * tile_lanes);
    check_[half] = multiply_add(column, Vec(0.0f), check_[half]);
    return column * factor_;
  }
  Vec pair(std::int64_t d) { return _mm512_castsi512_ps(narrow_pair(scaled<0>(d), scaled<1>(d + 1))); }

  const float* tile_;
  Vec factor_;
  Row<2> check_ = {Vec(0.0f), Vec(0.0f)};
};

bool store_pair_rows(const float* tile, std::int64_t dim, const float* factor, std::uint16_t* const* rows, int count) {
  bool finite = true;
  for (int first = 0; first < count; first += vector_lanes) {
    const int used = std::min(count - first, vector_lanes);
    PairColumns columns(tile + first, load(factor + first));
    std::int64_t d = 0;
    for (; d + row_elements <= dim; d += row_elements) columns.store(d, rows + first, used);
    if (d < dim) columns.store_last(d, static_cast<int>(dim - d), rows + first, used);
    finite = finite && columns.finite(used);
  }
  return finite;
}

/// pairs[key / 2][column] = (values[key][column], values[key + 1][column])
void pair_values(const std::uint16_t* values, std::int64_t stride, std::int64_t key_count, std::int64_t dim,
                 std::uint32_t* pairs) {
  const auto pair_rows = [&]<bool both>(std::int64_t key) __attribute__((always_inline)) {
    const std::uint16_t* row = values + key * stride;
    std::uint32_t* to = pairs + key / 2 * dim;
    std::int64_t c = 0;
    for (; c + row_elements <= dim; c += row_elements) {
      const PairsOfRows at =
          interleave(_mm512_loadu_si512(row + c), both ? _mm512_loadu_si512(row + stride + c) : _mm512_setzero_si512());
      _mm512_storeu_si512(to + c, at.first);
      _mm512_storeu_si512(to + c + vector_lanes, at.last);
    }
    for (; c < dim; ++c) to[c] = row[c] | (both ? static_cast<std::uint32_t>(row[stride + c]) << 16 : 0u);
  };
  std::int64_t key = 0;
  for (; key + 1 < key_count; key += 2) pair_rows.template operator()<true>(key);
  if (key < key_count) pair_rows.template operator()<false>(key);
}

}  // namespace
