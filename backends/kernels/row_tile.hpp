// O = P·V with the columns of values in lanes: rows of the output as they lie in memory, for tiles whose keys are all
// in one block. Against value_tile.hpp it saves the transposition of the output and computes the lanes in use
// alone, which is worth a tenth where keys are few; over several blocks its sums would have to be stored and loaded
// like the others. The frame is one for all products, whose operands come as policies: RowsOfFloats here, RowsOfPairs
// in pair_row_tile.hpp.
#pragma once

#include "backends/kernels/row_vector.hpp"
#include "backends/kernels/vector.hpp"

namespace {

/// The sum of all sums: finite only if they are. To add them leaves the units that multiply alone, where to multiply
/// them by 0 first would not (5 % of a product over 16 keys). Two, or each would wait for the one before.
using FiniteCheck = Row<2>;

/// Products of f32, a key at a time.
struct RowsOfFloats {
  using Weight = float;
  using Value = float;
  using Output = float;
  using Operand = Vec;

  /// One vector of columns, or the first `left` of them.
  template <bool partial>
  static Vec columns(const float* p, int left) {
    if constexpr (partial) return load_row_part<Element::f32>(p, left);
    return load_unaligned(p);
  }

  static Vec broadcast(const float* p) { return Vec(*p); }
  static Vec add(Vec sum, Vec value, Vec weight) { return multiply_add(value, weight, sum); }

  template <int V, bool partial>
  static void store(float* p, const Row<V>& columns, int left) {
    if constexpr (partial) return store_row_part(p, columns[0], left);
    each<V>([&](int v) { store_unaligned(p + v * vector_lanes, columns[v]); });
  }
};

/// What a block's values and the weights of R lanes come to; a step is what a policy multiplies at a time.
template <typename Products>
struct RowProduct {
  const typename Products::Weight* weights;  // [step][lanes]
  std::int64_t steps;
  const typename Products::Value* values;  // [step], at value_stride
  std::int64_t value_stride;
  const float* factor;
  typename Products::Output* const* rows;

  RowProduct from_row(int row) const { return {weights + row, steps, values, value_stride, factor + row, rows + row}; }
};

/// rows[r][column + c] = factor[r] · Σ_step weights[step][r] · values[step][column + c] for R lanes and V vectors of
/// columns, or the first `left` of one.
template <typename Products, int R, int V, bool partial>
inline void row_tile(const RowProduct<Products>& of, std::int64_t column, int left, FiniteCheck& check) {
  Block<R, V> sum;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) sum[r][v] = Vec(0.0f);
  const auto* values = of.values + column;
  for (std::int64_t step = 0; step < of.steps; ++step, values += of.value_stride) {
    typename Products::Operand value[static_cast<std::size_t>(V)];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) value[v] = Products::template columns<partial>(values + v * vector_lanes, left);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto weight = Products::broadcast(of.weights + step * tile_lanes + r);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[r][v] = Products::add(sum[r][v], value[v], weight);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const Vec factor(of.factor[r]);
    Row<V> scaled;
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      check[r % 2] = check[r % 2] + sum[r][v];
      scaled[v] = sum[r][v] * factor;
    }
    Products::template store<V, partial>(of.rows[r] + column, scaled, left);
  }
}

/// All columns of R rows.
template <int R, typename Products>
void row_group(const RowProduct<Products>& of, std::int64_t dim, FiniteCheck& check) {
  std::int64_t column = 0;
  for (; column + 2 * vector_lanes <= dim; column += 2 * vector_lanes)
    row_tile<Products, R, 2, false>(of, column, 0, check);
  for (; column + vector_lanes <= dim; column += vector_lanes) row_tile<Products, R, 1, false>(of, column, 0, check);
  if (const int left = static_cast<int>(dim - column); left > 0)
    row_tile<Products, R, 1, true>(of, column, left, check);
}

/// The last rows, fewer than a tile's.
template <int R, typename Products>
inline void last_rows(int count, const RowProduct<Products>& of, std::int64_t dim, FiniteCheck& check) {
  if constexpr (R > 0) {
    if (count == R)
      row_group<R>(of, dim, check);
    else
      last_rows<R - 1>(count, of, dim, check);
  }
}

/// All columns of `count` rows. Were all sums finite, and not so large that their sum is not?
template <typename Products>
bool all_rows(int count, const RowProduct<Products>& of, std::int64_t dim) {
  FiniteCheck check = {Vec(0.0f), Vec(0.0f)};
  int row = 0;
  for (; row + tile_rows <= count; row += tile_rows) row_group<tile_rows>(of.from_row(row), dim, check);
  last_rows<tile_rows - 1>(count - row, of.from_row(row), dim, check);
  return xsimd::all((check[0] + check[1]) * Vec(0.0f) == Vec(0.0f));
}

bool weighted_rows(const float* weights, std::int64_t key_count, const float* values, std::int64_t value_stride,
                   std::int64_t dim, const float* factor, float* const* rows, int count) {
  return all_rows<RowsOfFloats>(count, {weights, key_count, values, value_stride, factor, rows}, dim);
}

}  // namespace
