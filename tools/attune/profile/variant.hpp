// A variant of attention: which keys a query attends, whatever the length.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <attune/options.hpp>

namespace attune::tool::profile {

struct Variant {
  enum class Blocks : std::uint8_t { none, bigbird, longformer };

  std::string name;  // as typed
  bool causal = false;
  std::int64_t window = -1;  // keys before the query's position and, if not causal, after it; −1: all
  Blocks blocks = Blocks::none;
  bool linear = false;  // not softmax attention at all: see attune/linear_attention.hpp
};

/// "full", "causal", "window:512", "block-sparse:bigbird", "block-sparse:longformer", "linear", or several joined by
/// "+", for example "causal+window:512". Throws Error(invalid_argument) saying what would do.
Variant parse_variant(std::string_view text);

/// What the help says about them.
extern const char* const variant_words;

/// A map of blocks for the sequence, true where a block of queries may attend a block of keys.
struct BlockMap {
  static constexpr std::int64_t block = 64;
  std::int64_t rows = 0, columns = 0;
  std::vector<std::uint8_t> attended;  // [rows][columns]

  bool at(std::int64_t row, std::int64_t column) const {
    return attended[static_cast<std::size_t>(row * columns + column)] != 0;
  }
};

/// The last query stands at the last key. Sources: Zaheer et al., "Big Bird: Transformers for longer sequences", 2020
/// (blocks of 64: two global, three of a sliding window, three random in each row); Beltagy et al., "Longformer: the
/// long-document transformer", 2020 (a window of 512 and, here, one global block).
BlockMap block_map(Variant::Blocks blocks, std::int64_t queries, std::int64_t keys);

/// A variant at one length: its options with the memory they refer to, and what it costs by count.
class VariantCall {
 public:
  VariantCall(const Variant& variant, std::int64_t queries, std::int64_t keys);

  /// Refers to this object.
  AttentionOptions options() const;
  /// The same for query `row` alone, as if it were the only one.
  AttentionOptions options_of_row(std::int64_t row) const;
  /// Of one head.
  double attended_pairs() const noexcept { return pairs_; }
  /// That some query attends.
  std::int64_t attended_keys() const noexcept { return attended_keys_; }

 private:
  void count();
  /// Keys that causal and window leave to a query.
  std::int64_t first_key(std::int64_t query) const noexcept;
  std::int64_t end_key(std::int64_t query) const noexcept;

  Variant variant_;
  std::int64_t queries_, keys_;
  BlockMap map_;
  double pairs_ = 0;
  std::int64_t attended_keys_ = 0;
};

}  // namespace attune::tool::profile
