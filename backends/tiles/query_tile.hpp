// A query tile: up to `lanes` consecutive rows of a (member, kv head), on their way through the key blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <attune/arguments.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiles/head_rows.hpp"
#include "backends/tiles/key_block.hpp"
#include "backends/tiles/rows.hpp"
#include "backends/tiles/scratch.hpp"

namespace attune::tiles {

using kernels::TileState;

/// May tiles over so many keys multiply weights and values straight into rows of the output? Those of more values
/// would read them from L2 once for every few rows; and where columns do not fill a vector, half of the products would
/// be in vain.
bool writes_rows(const kernels::Kernels& kernels, const Arguments& arguments, const kernels::PairKernels* pairs,
                 std::int64_t keys) noexcept;

class QueryTile {
 public:
  /// Floats of scratch memory a tile needs, a multiple of 16.
  static std::size_t scratch_floats(const kernels::Kernels& kernels, std::int64_t head_dim,
                                    std::int64_t value_dim) noexcept;

  /// Takes rows first_row … of the head, as many as there are and fit. `own` is the tile's memory, `shared` that of all
  /// tiles of the thread; both aligned to 64 bytes. All of them outlive the tile.
  void open(const kernels::Kernels& kernels, const Arguments& arguments, const HeadRows& head, std::int64_t first_row,
            float* own, const Scratch& shared) noexcept;

  /// Lets add_values() write the output itself where one part has all keys: for tiles that are closed and neither saved
  /// nor joined with others.
  void write_at_once() noexcept {
    at_once_ = writes_rows(*kernels_, *arguments_, pairs_, attended_.end - attended_.begin);
  }

  /// Back to the state before the first key. A sink belongs to one part only where keys are split.
  void reset(bool with_sinks) noexcept;

  /// Some lane attends some key of keys() and none outside.
  KeyRange keys() const noexcept { return attended_; }
  int vectors() const noexcept { return vectors_; }

  /// Does some lane attend some of these keys?
  bool wants(const KeyRange& keys) const noexcept {
    const KeyRange left = wanted(keys);
    return left.begin < left.end;
  }

  /// The part of the block that some lane may attend (its count is 0 if none does). It starts at a multiple of 4 keys
  /// into the block and ends at one, or at the end of keys(): partial sums go by a key's place modulo 4.
  KeyBlock part_of(const KeyBlock& block) const noexcept;

  /// Scores of the part's keys, with everything that options do to them; row_max gets the lanes' maxima. Where there is
  /// nothing ahead, a mask's next part is fetched.
  void score(const KeyBlock& part, const kernels::Ahead& ahead, float* scores, float* row_max) const noexcept;

  /// Scores to weights, which of pairs take half the room (PairKernels::softmax). Updates the running maximum and sum,
  /// and leaves in alpha what to rescale by.
  void softmax(float* scores, std::int64_t key_count, const float* row_max, bool careful) noexcept;

  /// Do weights keep the scores' precision? Those of pairs are rounded, and two keys share the room of one.
  bool keeps_weights() const noexcept { return pairs_ == nullptr; }

  /// Adds weights · values. Where it writes at once it asks for nothing ahead.
  void add_values(const float* weights, const KeyBlock& part, bool careful, const kernels::Ahead& ahead) noexcept;

  /// May its softmax be computed beside the values of another tile?
  bool weighs_beside_others() const noexcept {
    return !natural_ && (pairs_ != nullptr || kernels_->weighted_sum_and_softmax != nullptr);
  }

  /// add_values() for this tile, and softmax() for the other one, which must be so.
  void add_values_beside(const float* weights, const KeyBlock& part, QueryTile& other, float* scores,
                         std::int64_t key_count, const float* row_max) noexcept;

  /// One step of streaming: score, softmax, add_values in the shared scratch. Was there anything to attend?
  bool attend(const KeyBlock& block, bool careful, const BlockAhead& ahead) noexcept;

  /// Keeps its state there from now on, aligned to 64 bytes and for reset() to begin.
  void keep_in(const TileState& state) noexcept { state_ = state; }
  /// Gives a state that has seen no key a sum of 0, for others to absorb().
  void settle() noexcept;
  /// Joins what another tile over the same rows has kept of later keys.
  void absorb(const TileState& later) noexcept;

  /// Divides by the sums and writes out, and lse where it is wanted. False when some output is NaN or infinite. That
  /// may be right, or a product of weight 0 and a value that no lane attends: start over with reset() and in careful
  /// mode, which tells the two apart, and close again.
  bool close() noexcept;

  /// Closes it, or starts over: attend_carefully() is to go over its keys once more.
  template <typename Attend>
  void close(Attend attend_carefully) noexcept {
    if (close()) return;
    reset(true);
    attend_carefully();
    close();
  }

  /// Attention weights: zeros all rows, then one part after the other. `weights` are softmax()'s, and are spoiled.
  void clear_weights() const noexcept;
  void write_weights(const KeyBlock& part, float* weights) const noexcept;
  /// The part's weights under the final maximum, for a tile that has not kept them.
  void recompute_weights(const KeyBlock& part, float* scores) const noexcept;

 private:
  struct Place {
    std::int64_t head, query;
  };

  KeyRange wanted(KeyRange keys) const noexcept;
  kernels::VectorsInUse vectors_in_use(const KeyBlock& part) const noexcept;
  void score_part(const KeyBlock& part, const kernels::Ahead& ahead, float* scores, float* row_max) const noexcept;
  /// The tensor's index of each lane's row.
  void find_rows(const TensorLayout& tensor, std::int64_t first_in_member, std::int64_t* index) const noexcept;
  void find_places() noexcept;
  void find_ranges() noexcept;
  void load_queries() noexcept;
  void load_query_pairs() noexcept;
  bool writes_now(const KeyBlock& part) const noexcept;
  kernels::Start start() const noexcept {
    return fresh_ ? kernels::Start::zero : rescale_ ? kernels::Start::rescale : kernels::Start::add;
  }
  std::int64_t lanes() const noexcept { return kernels_->lanes; }

  // query_tile_output.cpp
  template <typename Write>
  bool write_tensor(const MutableTensorView& tensor, std::int64_t count, std::int64_t first_in_member,
                    std::int64_t first_element, Write write) const noexcept;
  bool write_out() noexcept;
  bool write_weighted(const float* weights, const KeyBlock& part) noexcept;
  void write_lse() const noexcept;

  // query_tile_options.cpp
  bool block_attended(const Place& at, std::int64_t begin, std::int64_t end) const noexcept;
  KeyRange trimmed_to_block_mask(KeyRange keys) const noexcept;
  kernels::Ahead mask_ahead(const KeyBlock& part) const noexcept;
  void add_mask(const KeyBlock& part, float* scores, float* row_max) const noexcept;
  void add_alibi(const KeyBlock& part, float* scores, float* row_max) const noexcept;
  void apply_block_mask(const KeyBlock& part, float* scores, float* row_max) const noexcept;
  void apply_ranges(const KeyBlock& part, float* scores, float* row_max) const noexcept;

  // All of it is set by open(), for the lanes in use, and not before: clearing it would cost as much as a short row.
  const kernels::Kernels* kernels_;
  const Arguments* arguments_;
  const Scratch* shared_;
  const HeadRows* head_;
  std::int64_t first_row_;
  int rows_;
  int vectors_;
  const kernels::PairKernels* pairs_;  // if products are of bf16 pairs; queries_ then holds pairs
  float scale_;                        // of the products, unless it is in the queries or left to the softmax
  float softmax_scale_;                // of the scores of pairs, or 1
  bool natural_;                       // scores are in units of the natural logarithm, else of log2
  bool fresh_;                         // nothing has been added to out yet
  bool rescale_;                       // alpha holds a factor other than 1
  bool at_once_;                       // write_at_once()
  bool written_, finite_;              // the output, by add_values(); and was it finite?
  KeyRange attended_;                  // union over the lanes
  KeyRange whole_;                     // intersection: parts inside need no range mask
  std::int64_t lower_end_;             // no lane of the lower one of two vectors attends keys from here on
  std::array<Place, max_lanes> places_;
  std::array<std::int64_t, max_lanes> lane_begin_, lane_end_;  // of the keys of each lane, unless all are whole_
  float* queries_;                                             // [head_dim][lanes]
  float* alpha_;                                               // [lanes]
  TileState state_;
};

}  // namespace attune::tiles
