// What a variant says it attends, against weights that the library computes with the variant's options.
#include <algorithm>

#include <gtest/gtest.h>

#include <attune/attune.hpp>

#include "tools/attune/profile/variant.hpp"

namespace attune::tool::profile {
namespace {

struct Attended {
  double pairs = 0;
  std::int64_t keys = 0;
  std::vector<bool> map;  // [queries][keys]
};

Attended attended_by(const AttentionOptions& wanted, std::int64_t queries, std::int64_t keys) {
  const std::vector<float> q(static_cast<std::size_t>(queries), 0.0f), k(static_cast<std::size_t>(keys), 0.0f);
  std::vector<float> out(q.size()), weights(q.size() * k.size());
  AttentionOptions options = wanted;
  options.weights = view(weights.data(), bhsd(1, 1, queries, keys));
  options.backend = "naive";
  attention(view(q.data(), bhsd(1, 1, queries, 1)), view(k.data(), bhsd(1, 1, keys, 1)),
            view(k.data(), bhsd(1, 1, keys, 1)), view(out.data(), bhsd(1, 1, queries, 1)), options);
  Attended result;
  std::vector<bool> seen(k.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    result.map.push_back(weights[i] > 0);
    if (weights[i] > 0) ++result.pairs, seen[i % k.size()] = true;
  }
  result.keys = std::count(seen.begin(), seen.end(), true);
  return result;
}

class EveryVariant : public testing::TestWithParam<const char*> {};

TEST_P(EveryVariant, CountsWhatItsOptionsLeave) {
  const Variant variant = parse_variant(GetParam());
  for (const auto& [queries, keys] :
       {std::pair<std::int64_t, std::int64_t>{1, 1}, {70, 70}, {1, 700}, {64, 650}, {333, 333}}) {
    const VariantCall call(variant, queries, keys);
    const Attended attended = attended_by(call.options(), queries, keys);
    EXPECT_EQ(call.attended_pairs(), attended.pairs) << queries << " × " << keys;
    EXPECT_EQ(call.attended_keys(), attended.keys) << queries << " × " << keys;
    for (const std::int64_t row : {std::int64_t{0}, queries / 2, queries - 1}) {
      const auto first = attended.map.begin() + row * keys;
      EXPECT_EQ(attended_by(call.options_of_row(row), 1, keys).map, std::vector<bool>(first, first + keys))
          << "row " << row << " of " << queries << " × " << keys;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, EveryVariant,
                         testing::Values("full", "causal", "window:0", "window:50", "causal+window:50",
                                         "block-sparse:bigbird", "block-sparse:longformer",
                                         "causal+block-sparse:bigbird", "window:100+block-sparse:longformer"));

TEST(BlockMap, OfLongSequencesIsSparse) {
  const BlockMap map = block_map(Variant::Blocks::bigbird, 4096, 4096);
  for (std::int64_t row = 2; row < map.rows; ++row) {
    std::int64_t blocks = 0;
    for (std::int64_t k = 0; k < map.columns; ++k) blocks += map.at(row, k) ? 1 : 0;
    EXPECT_LE(blocks, 2 + 3 + 3) << row;
    EXPECT_GE(blocks, 2 + 2 + 3 - 1) << row;
    EXPECT_TRUE(map.at(row, row) && map.at(row, 0) && map.at(0, row));
  }
}

TEST(Variant, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"", "ful", "window", "window:", "window:-1", "window:x", "causal+", "causal+full",
                           "causal+causal", "window:3+window:5", "block-sparse:other"})
    EXPECT_THROW(parse_variant(text), Error) << text;
}

}  // namespace
}  // namespace attune::tool::profile
