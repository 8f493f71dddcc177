// The rows of a decode against a chunk of its keys: head dims in lanes (kernels/decode.hpp), whatever their number of
// rows, dtypes and strides. A chunk's scores are held whole, so that its softmax needs no rescaling and memory is read
// as two long streams, the chunk's keys and then its values:
//   [rows][keys] scores of 4 bytes in L1 and L2 against keys · (D + Dv) elements read.
// Where a call is of bf16 and the instruction set multiplies pairs of it, queries stay bf16 and weights become it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <attune/arguments.hpp>
#include <attune/problem.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiled/work_list.hpp"
#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/softmax_state.hpp"

namespace attune::tiled {

/// What is kept of a part of the keys: Σ weight · value, the maximum of the scores and the sum of the weights.
struct RowsState {
  float* sums = nullptr;  // [computed rows][value_pitch], columns in the order of the kernels
  float* m = nullptr;     // [rows]
  float* l = nullptr;     // [rows]
};

/// Sizes in floats; each part of the memory starts at a multiple of 64 bytes.
class RowsLayout {
 public:
  RowsLayout(const kernels::Kernels& kernels, const Problem& problem) noexcept;

  std::int64_t query_pitch = 0, value_pitch = 0, score_pitch = 0;
  std::int64_t copy_floats = 0;  // room for a copy of some keys or values, or for one row of anything

  std::size_t state_floats(std::int64_t rows) const noexcept;
  RowsState state(float* memory, std::int64_t rows) const noexcept;
  /// Of a worker: queries, scores, some rows of those, the copy and two states.
  std::size_t worker_floats(std::int64_t rows) const noexcept;
};

class DecodeRows {
 public:
  /// `memory` holds layout.worker_floats(head.count).
  DecodeRows(const kernels::Kernels& kernels, const RowsLayout& layout, const Arguments& arguments,
             kernels::Fetch fetch, const tiles::HeadRows& head, float* memory) noexcept;

  /// Some row attends some key of keys() and none outside.
  KeyRange keys() const noexcept { return attended_; }

  /// What keys begin … end − 1 bring, at most a chunk of them.
  void attend(KeyRange chunk, const RowsState& result) noexcept;

  /// The state before the first key: nothing but the sinks.
  void begin(const RowsState& state) const noexcept;
  /// Joins what later keys have brought.
  void absorb(const RowsState& later, const RowsState& state) const noexcept;
  /// Divides by the sums and writes out, and lse where it is wanted.
  void close(const RowsState& state) const noexcept;

  /// The worker's own two states.
  RowsState whole() const noexcept { return whole_; }
  RowsState part() const noexcept { return part_; }

 private:
  struct Row {
    std::int64_t head = 0, query = 0;
    KeyRange keys;
  };

  void find_rows() noexcept;
  void load_queries() noexcept;
  template <typename F>
  void for_blocks(const Row& row, KeyRange keys, F f) const noexcept;
  KeyRange wanted(KeyRange keys) const noexcept;
  bool may_stream(KeyRange keys) const noexcept;
  void score(KeyRange keys) noexcept;
  void change_scores(KeyRange keys) noexcept;
  void change_pair_scores(KeyRange keys) noexcept;
  void apply_options(const Row& row, KeyRange keys, float* scores) noexcept;
  void add_mask(const Row& row, KeyRange keys, float* scores) noexcept;
  void softmax(KeyRange keys, const RowsState& result) noexcept;
  void sum_values(KeyRange keys, bool careful, const RowsState& result) noexcept;
  template <typename F>
  void for_stored(const TensorView& tensor, KeyRange keys, F f) noexcept;
  const void* upcoming(const TensorView& tensor, const TensorView& after, std::int64_t key) const noexcept;

  /// Elements from one row of queries to the next, where these are of pairs.
  std::int64_t pair_query_pitch() const noexcept { return 2 * layout_.query_pitch; }

  const kernels::Kernels& kernels_;
  const kernels::PairKernels* pairs_;  // if products are of bf16 pairs; queries_ and weights then hold bf16
  const RowsLayout& layout_;
  const Arguments& arguments_;
  kernels::Fetch fetch_;
  tiles::HeadRows head_;
  int count_;
  int computed_;  // rows, if kernels compute more than there are
  tiles::ScoreUnits units_;
  bool loaded_ = false;
  bool in_streams_ = false;  // of the keys in scores_ (StoredRows::in_streams)
  KeyRange attended_;        // union over the rows
  std::array<Row, max_decode_rows> rows_;
  float *queries_, *scores_, *scores_by_row_, *copy_;
  RowsState whole_, part_;
};

}  // namespace attune::tiled
