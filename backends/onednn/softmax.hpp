// Streaming softmax over a tile of query rows: what happens between the two products. For each row the maximum m of its
// scores so far, the sum of e^(score − m), and out, which is scaled down whenever m grows.
// Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.
#pragma once

#include <cstdint>

#include <attune/arguments.hpp>

namespace attune::onednn {

/// Which query rows a tile holds. Rows count the queries of all heads that share a key/value head: row r is query
/// r / group of head kv_head · group + r % group, so that a tile's rows stand at neighbouring positions.
struct TileRows {
  const Arguments& arguments;
  std::int64_t member_index = 0;
  Member member;
  std::int64_t kv_head = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;

  std::int64_t query(std::int64_t row) const noexcept { return (first + row) / arguments.group(); }
  std::int64_t head(std::int64_t row) const noexcept {
    return kv_head * arguments.group() + (first + row) % arguments.group();
  }
  /// The keys that any of the rows may attend.
  KeyRange keys() const noexcept;
};

class Softmax {
 public:
  /// statistics: room for two floats for each row of the tile; out: [rows][Dv].
  Softmax(const TileRows& rows, std::int64_t tile_queries, float* statistics, float* out) noexcept;

  /// Of softcap, the part before tanh: products [tile_queries][block_keys] times scale / softcap.
  void scale_for_tanh(float* products, std::int64_t block_keys) const noexcept;
  /// Products become score − m, −inf where a key is not attended; out and sums follow when m grows.
  void shift(float* products, std::int64_t first_key, std::int64_t block_keys) noexcept;
  /// Takes e^(score − m) into the sums.
  void add(const float* exponentials, std::int64_t block_keys) noexcept;
  /// Writes the rows of out, and of lse if there is one.
  void finish() noexcept;

 private:
  void apply_options(float* scores, std::int64_t row, std::int64_t first_key, std::int64_t block_keys) const noexcept;
  void shift_row(float* scores, std::int64_t row, std::int64_t block_keys) noexcept;
  float bias(std::int64_t row, std::int64_t key) const noexcept;
  bool masked(std::int64_t row, std::int64_t key) const noexcept;
  std::int64_t mask_index(std::int64_t row, std::int64_t key) const noexcept;

  const TileRows& rows_;
  std::int64_t tile_queries_;
  float* maximum_;  // −inf: nothing attended yet
  float* sum_;      // NaN: the row attended a NaN or +inf
  float* out_;
};

}  // namespace attune::onednn
