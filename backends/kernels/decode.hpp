// Attention of few queries: the kernels of DecodeKernels.
//
// A decode step reads each key and value once, D + Dv elements, for 2 · rows · (D + Dv) operations, rows being the
// queries that share them: a group of 4 does 2 operations for each byte of f32. Memory is the limit as long as the
// products keep pace with it, and keeping pace takes two things. No lane may idle: with queries in lanes, as in a tile,
// 4 rows would fill a quarter or half of a vector; with head dims in lanes they fill it whatever their number. And no
// element may be read or converted twice: a key row that is in registers meets all rows, 16-bit elements are widened on
// their way from memory.
//
//   scores: K keys × R rows of accumulators over the vectors of a row, then additions that leave the scores of four
//           accumulators in four lanes (13 instructions for the 32 multiply-adds of a head_dim of 128 in AVX-512);
//           where there are rows enough for it, four of them share a vector (decode_quads.hpp);
//   softmax: along rows of scores, full lanes;
//   values: R rows × C vectors of columns, the weight broadcast.
//
// Rows beyond those that registers hold go in groups that take turns on keys in L1. What will be read next is
// prefetched some KB ahead, also across the end of the rows: on one core that is worth half of the memory's bandwidth.
// Each group asks for its share of it, so that memory does not wait while the others compute. Rows that no cache holds
// are asked for again when they are nearer, which the others would pay for without need; and some cores want it all in
// the order of memory, straight into L1 (decode_rows.hpp: Fetching).
#pragma once

#include "backends/kernels/decode_quads.hpp"
#include "backends/kernels/decode_softmax.hpp"
#include "backends/kernels/decode_values.hpp"

namespace {

constexpr attune::kernels::DecodeKernels decode_kernels = {
    .load_query = load_decode_query,
    .scores = decode_scores,
    .softcap = softcap_row,
    .add_bias = bias_row,
    .select_keys = select_row,
    .alibi = alibi_row,
    .softmax = softmax_row,
    .weighted_sum = decode_weighted_sum,
    .join = join_rows,
};

}  // namespace
