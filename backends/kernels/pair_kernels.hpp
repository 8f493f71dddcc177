// The table of the kernels on pairs of bf16: empty for instruction sets without products of them.
#pragma once

#include "backends/kernels/kernels.hpp"
#include "backends/kernels/vector.hpp"

#if defined(__AVX512BF16__)

#include "backends/kernels/decode_pairs.hpp"
#include "backends/kernels/pair_io.hpp"
#include "backends/kernels/pair_row_tile.hpp"
#include "backends/kernels/pair_softmax.hpp"
#include "backends/kernels/pair_tile.hpp"
#include "backends/kernels/peak.hpp"

namespace {

constexpr bool has_pairs = true;

double dot_peak(std::int64_t iterations) {
  const Pairs a = _mm512_set1_epi32(0x3f003f00), b = _mm512_set1_epi32(0x3a003a00);  // pairs of 0.5 and of 0.0005
  return 4 * run_chains(iterations, [&](Vec sum) { return dot_pairs(sum, a, b); });
}

constexpr attune::kernels::PairKernels pair_kernels = {
    .load_rows = load_pair_rows,
    .store_rows = store_pair_rows,
    .scores = pair_scores,
    .softmax = pair_softmax,
    .pair_values = pair_values,
    .weighted_sum = pair_weighted_sum,
    .weighted_sum_and_softmax = pair_weighted_sum_and_softmax,
    .weighted_rows = pair_weighted_rows,
    .load_decode_query = load_decode_query_pairs,
    .decode_scores = decode_pair_scores,
    .read_scores = read_pair_scores,
    .write_scores = write_pair_scores,
    .hide_keys = hide_pair_keys,
    .decode_softmax = decode_pair_softmax,
    .decode_weighted_sum = decode_pair_weighted_sum,
    .columns_in_order = columns_in_order,
    .dot_peak = dot_peak,
};

}  // namespace

#else

namespace {

constexpr bool has_pairs = false;
constexpr attune::kernels::PairKernels pair_kernels = {};

}  // namespace

#endif
