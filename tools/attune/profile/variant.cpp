#include "tools/attune/profile/variant.hpp"

#include <algorithm>
#include <limits>
#include <random>
#include <set>

#include <attune/error.hpp>

#include "tools/attune/io/tensor.hpp"
#include "tools/attune/numbers.hpp"

namespace attune::tool::profile {
namespace {

constexpr std::string_view window_prefix = "window:";

[[noreturn]] void refuse(std::string_view text) {
  throw Error(ErrorCode::invalid_argument,
              "--variants: " + io::in_quotes(text) + " is none of " + std::string(variant_words));
}

void add_part(Variant& variant, std::string_view part) {
  const bool no_blocks = variant.blocks == Variant::Blocks::none;
  if (part == "causal" && !variant.causal) {
    variant.causal = true;
  } else if (part == "block-sparse:bigbird" && no_blocks) {
    variant.blocks = Variant::Blocks::bigbird;
  } else if (part == "block-sparse:longformer" && no_blocks) {
    variant.blocks = Variant::Blocks::longformer;
  } else if (part == "linear" && !variant.linear) {
    variant.linear = true;
  } else if (part.starts_with(window_prefix) && variant.window < 0) {
    variant.window = parse_integer("--variants (window:N)", part.substr(window_prefix.size()), 0,
                                   std::numeric_limits<std::int32_t>::max());
  } else if (part != "full" || variant.name != "full") {
    refuse(variant.name);
  }
}

/// The blocks of keys that a block of queries at position block `p` attends, of `columns`.
std::set<std::int64_t> attended_blocks(Variant::Blocks blocks, std::int64_t p, std::int64_t columns,
                                       std::mt19937_64& random) {
  const bool bigbird = blocks == Variant::Blocks::bigbird;
  const std::int64_t global = bigbird ? 2 : 1;
  const std::int64_t reach = bigbird ? 1 : 4;  // blocks to either side
  const std::int64_t randoms = bigbird ? 3 : 0;
  std::set<std::int64_t> attended;
  for (std::int64_t k = 0; k < columns; ++k)
    if (k < global || p < global || std::abs(k - p) <= reach) attended.insert(k);
  const auto wanted = std::min(columns, static_cast<std::int64_t>(attended.size()) + randoms);
  while (static_cast<std::int64_t>(attended.size()) < wanted)
    attended.insert(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(columns)));
  return attended;
}

}  // namespace

const char* const variant_words =
    "full, causal, window:N (N keys to either side; with causal N before), block-sparse:bigbird, "
    "block-sparse:longformer, linear (another function than softmax attention; alone or with causal), or several "
    "joined "
    "by +, as in causal+window:512";

Variant parse_variant(std::string_view text) {
  Variant variant;
  variant.name = text;
  for (std::string_view rest = text;;) {
    const std::size_t plus = rest.find('+');
    add_part(variant, rest.substr(0, plus));
    if (plus == std::string_view::npos) break;
    rest.remove_prefix(plus + 1);
  }
  if (variant.linear && (variant.window >= 0 || variant.blocks != Variant::Blocks::none)) refuse(text);
  return variant;
}

BlockMap block_map(Variant::Blocks blocks, std::int64_t queries, std::int64_t keys) {
  constexpr std::int64_t size = BlockMap::block;
  BlockMap map{(queries + size - 1) / size, (keys + size - 1) / size, {}};
  map.attended.assign(static_cast<std::size_t>(map.rows * map.columns), 0);
  std::mt19937_64 random(1);  // the same map in every run
  for (std::int64_t row = 0; row < map.rows; ++row) {
    const std::int64_t position = std::max<std::int64_t>(row * size + keys - queries, 0) / size;
    for (const std::int64_t k : attended_blocks(blocks, position, map.columns, random))
      map.attended[static_cast<std::size_t>(row * map.columns + k)] = 1;
  }
  return map;
}

VariantCall::VariantCall(const Variant& variant, std::int64_t queries, std::int64_t keys)
    : variant_(variant), queries_(queries), keys_(keys) {
  if (variant.blocks != Variant::Blocks::none) map_ = block_map(variant.blocks, queries, keys);
  count();
}

std::int64_t VariantCall::first_key(std::int64_t query) const noexcept {
  const std::int64_t position = query + keys_ - queries_;
  return variant_.window < 0 ? 0 : std::clamp<std::int64_t>(position - variant_.window, 0, keys_);
}

std::int64_t VariantCall::end_key(std::int64_t query) const noexcept {
  const std::int64_t position = query + keys_ - queries_;
  if (variant_.causal) return std::clamp<std::int64_t>(position + 1, 0, keys_);
  return variant_.window < 0 ? keys_ : std::clamp<std::int64_t>(position + variant_.window + 1, 0, keys_);
}

void VariantCall::count() {
  std::vector<std::int64_t> change(static_cast<std::size_t>(keys_ + 1), 0);  // of the queries that attend a key
  const auto take = [&](std::int64_t begin, std::int64_t end) {
    if (begin >= end) return;
    pairs_ += static_cast<double>(end - begin);
    ++change[static_cast<std::size_t>(begin)];
    --change[static_cast<std::size_t>(end)];
  };
  for (std::int64_t i = 0; i < queries_; ++i) {
    const std::int64_t begin = first_key(i), end = end_key(i);
    if (map_.attended.empty()) take(begin, end);
    for (std::int64_t k = 0; k < map_.columns; ++k)
      if (map_.at(i / BlockMap::block, k))
        take(std::max(begin, k * BlockMap::block), std::min(end, (k + 1) * BlockMap::block));
  }
  std::int64_t queries_here = 0;
  for (std::size_t key = 0; key < static_cast<std::size_t>(keys_); ++key) {
    queries_here += change[key];
    if (queries_here > 0) ++attended_keys_;
  }
}

AttentionOptions VariantCall::options() const {
  AttentionOptions options;
  options.causal = variant_.causal;
  options.window_left = variant_.window;
  options.window_right = variant_.causal ? -1 : variant_.window;
  if (!map_.attended.empty()) {
    options.block_mask = view(map_.attended.data(), contiguous({1, 1, map_.rows, map_.columns}));
    options.block_mask->dtype = DType::boolean;
    options.block_queries = options.block_keys = BlockMap::block;
  }
  return options;
}

AttentionOptions VariantCall::options_of_row(std::int64_t row) const {
  AttentionOptions options = this->options();
  options.align = Align::at(row + keys_ - queries_);
  if (options.block_mask) {
    options.block_mask->data = map_.attended.data() + row / BlockMap::block * map_.columns;
    options.block_mask->shape[2] = 1;
    options.block_queries = 1;
  }
  return options;
}

}  // namespace attune::tool::profile
