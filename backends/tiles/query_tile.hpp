// A query tile: up to `lanes` queries that share a key/value head, on their way through the key blocks.
//
// The rows of a (member, kv head) are its group's queries, head after head: row r is query r % Sq of the group's
// head r / Sq. A tile takes consecutive rows, so the few queries of a decode step and of several heads fill one tile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <attune/arguments.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiles/key_block.hpp"

namespace attune::tiles {

inline constexpr int max_lanes = 64;

/// Whose rows these are.
struct HeadRows {
  Member member;
  std::int64_t index = 0;    // of the member: 0 … B − 1
  std::int64_t kv_head = 0;
  std::int64_t count = 0;    // group · queries
};

HeadRows head_rows(const Arguments& arguments, std::int64_t member, std::int64_t kv_head) noexcept;

class QueryTile {
 public:
  /// Floats of scratch memory a tile needs, a multiple of 16.
  static std::size_t scratch_floats(const kernels::Kernels& kernels, std::int64_t head_dim, std::int64_t value_dim) noexcept;

  /// Takes rows first_row … of the head, as many as there are and fit; `scratch` is aligned to 64 bytes.
  void open(const kernels::Kernels& kernels, const Arguments& arguments, const HeadRows& head, std::int64_t first_row,
            float* scratch) noexcept;

  /// Some lane attends some key of keys() and none outside.
  KeyRange keys() const noexcept { return attended_; }
  int rows() const noexcept { return rows_; }
  int vectors() const noexcept { return vectors_; }
  const float* queries() const noexcept { return queries_; }

  /// Scores of the block's keys (as many as the tile's range needs of them), masked where a lane does not attend
  /// them. Returns how many keys that were.
  std::int64_t score(const KeyBlock& block, float* scores, float* row_max) const noexcept;

  /// Scores to weights; updates the running maximum and sum, and leaves in alpha what to rescale by.
  void softmax(float* scores, std::int64_t key_count, const float* row_max, bool careful) noexcept;

  /// Adds weights · values.
  void add_values(const float* weights, std::int64_t key_count, const KeyBlock& block, bool careful) noexcept;

  /// False when some output is NaN or infinite. That may be right, or a product of weight 0 and a value that no lane
  /// attends: start over with reset() and in careful mode, which tells the two apart.
  bool finite() const noexcept;
  void reset() noexcept;

  /// Divides by the sums and writes out, and lse where it is wanted.
  void close() noexcept;

  /// 1 / sum of each lane, 0 for empty rows: what turns its weights into attention weights.
  void normalisers(float* factor) const noexcept;
  /// Where a lane's attended keys lie, and its place in [B, H, Sq].
  KeyRange keys_of(int lane) const noexcept { return lane_keys_[static_cast<std::size_t>(lane)]; }
  struct Place {
    std::int64_t head, query;
  };
  Place place(int lane) const noexcept;

 private:
  void find_ranges() noexcept;
  void write_lse() const noexcept;

  const kernels::Kernels* kernels_ = nullptr;
  const Arguments* arguments_ = nullptr;
  HeadRows head_;
  std::int64_t first_row_ = 0;
  int rows_ = 0;
  int vectors_ = 0;
  bool fresh_ = true;     // nothing has been added to out yet
  bool rescale_ = false;  // alpha holds a factor other than 1
  KeyRange attended_;     // union over the lanes
  KeyRange whole_;        // intersection: blocks inside need no mask
  std::array<KeyRange, max_lanes> lane_keys_;
  // Scratch: tiles [dim][lanes] and vectors [lanes].
  float* queries_ = nullptr;
  float* out_ = nullptr;
  float* m_ = nullptr;      // running maximum, in units of log2
  float* l_ = nullptr;      // running sum of weights
  float* alpha_ = nullptr;
};

}  // namespace attune::tiles
