// block_mask on the backend naive, drawn as pictures.
//
// The trick: all scores are 0 and value j is the j-th unit vector, so that output element j of a row is above 0 exactly
// where the row attends key j. A picture has a line for each query, of each head, of each member.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <attune/engine.hpp>

namespace attune {
namespace {

using Picture = std::vector<std::string>;

constexpr float infinity = std::numeric_limits<float>::infinity();

/// A map of blocks from a picture of it: '#' may be attended.
struct BlockMap {
  BlockMap(const Picture& lines, std::int64_t batch, std::int64_t heads, std::int64_t queries_of_block,
           std::int64_t keys_of_block)
      : block_queries(queries_of_block), block_keys(keys_of_block) {
    for (const std::string& line : lines)
      for (const char c : line) bytes.push_back(c == '#' ? 1 : 0);
    const auto rows = static_cast<std::int64_t>(lines.size()) / (batch * heads);
    layout = contiguous({batch, heads, rows, static_cast<std::int64_t>(lines.front().size())});
    layout.dtype = DType::boolean;
  }

  void attach_to(AttentionOptions& options) const {
    options.block_mask = TensorView(layout, bytes.data());
    options.block_queries = block_queries;
    options.block_keys = block_keys;
  }

  std::vector<std::uint8_t> bytes;
  TensorLayout layout;
  std::int64_t block_queries, block_keys;
};

/// A call whose output shows what was attended.
struct Drawing {
  std::int64_t batch = 1, heads = 1, kv_heads = 1, queries = 1, keys = 1;
  AttentionOptions options{};
  std::vector<float> lse{};

  Picture draw() {
    options.backend = "naive";
    return options.cu_seqlens_q ? draw_packed() : draw_padded();
  }

 private:
  Picture draw_padded() {
    const std::vector<float> query(size(batch * heads * queries)), key(size(batch * kv_heads * keys));
    const std::vector<float> value = unit_vectors(batch * kv_heads);
    std::vector<float> out(size(batch * heads * queries * keys));
    lse.assign(size(batch * heads * queries), 0);
    options.lse = view(lse.data(), contiguous({batch, heads, queries}));
    default_engine().attention(
        {view(query.data(), bhsd(batch, heads, queries, 1)), view(key.data(), bhsd(batch, kv_heads, keys, 1)),
         view(value.data(), bhsd(batch, kv_heads, keys, keys)), view(out.data(), bhsd(batch, heads, queries, keys))},
        options);
    return picture_of(out);
  }

  /// One head; the unit vectors count keys from the first member's on.
  Picture draw_packed() {
    const std::vector<float> query(size(queries)), key(size(keys)), value = unit_vectors(1);
    std::vector<float> out(size(queries * keys));
    default_engine().attention({view(query.data(), packed(queries, 1, 1)), view(key.data(), packed(keys, 1, 1)),
                                view(value.data(), packed(keys, 1, keys)), view(out.data(), packed(queries, 1, keys))},
                               options);
    return picture_of(out);
  }

  static std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

  std::vector<float> unit_vectors(std::int64_t count) const {
    std::vector<float> value(size(count * keys * keys));
    for (std::int64_t j = 0; j < count * keys; ++j) value[size(j * keys + j % keys)] = 1;
    return value;
  }

  Picture picture_of(const std::vector<float>& out) const {
    Picture lines;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % size(keys) == 0) lines.emplace_back();
      lines.back() += out[i] > 0 ? '#' : '.';
    }
    return lines;
  }
};

TEST(BlockMask, SelectsBlocksAndCutsTheLastOnes) {
  Drawing call{.queries = 3, .keys = 5};
  const BlockMap map({"#.#",  //
                      ".#."},
                     1, 1, 2, 2);
  map.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"##..#",  //
                                  "##..#",  //
                                  "..##."}));
}

TEST(BlockMask, BlocksOfQueriesAndKeysDiffer) {
  Drawing call{.queries = 4, .keys = 4};
  const BlockMap map({"#.",  //
                      "#.",  //
                      ".#",  //
                      "##"},
                     1, 1, 1, 3);
  map.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"###.",  //
                                  "###.",  //
                                  "...#",  //
                                  "####"}));
}

TEST(BlockMask, ABlockMayBeLargerThanTheTensor) {
  Drawing call{.queries = 2, .keys = 3};
  const BlockMap all({"#"}, 1, 1, 64, std::numeric_limits<std::int64_t>::max());
  all.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"###", "###"}));
  const BlockMap none({"."}, 1, 1, 64, 64);
  none.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"...", "..."}));
}

TEST(BlockMask, EveryOtherOptionStillCounts) {
  Drawing call{.queries = 4, .keys = 6};
  const BlockMap map({"##.",  //
                      ".##"},
                     1, 1, 2, 2);
  map.attach_to(call.options);
  call.options.causal = true;  // query i stands at key i + 2
  const std::array<bool, 6> mask{true, true, true, true, false, true};
  call.options.attn_mask = view(mask.data(), contiguous({6}));
  EXPECT_EQ(call.draw(), (Picture{"###...",  //
                                  "####..",  //
                                  "..##..",  //
                                  "..##.#"}));
  call.options.window_left = 1;
  EXPECT_EQ(call.draw(), (Picture{".##...",  //
                                  "..##..",  //
                                  "...#..",  //
                                  ".....#"}));
  const std::array<std::int32_t, 1> length{4};  // which moves the queries two keys to the left
  call.options.key_lengths = view(length.data(), contiguous({1}));
  EXPECT_EQ(call.draw(), (Picture{"#.....",  //
                                  "##....",  //
                                  "..#...",  //
                                  "..##.."}));
}

TEST(BlockMask, BelongsToQueryHeadsAlsoWhereTheyShareKeys) {
  Drawing call{.heads = 4, .kv_heads = 2, .queries = 1, .keys = 4};
  const BlockMap map({"#.", ".#", "##", ".."}, 1, 4, 1, 2);
  map.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"##..", "..##", "####", "...."}));
}

TEST(BlockMask, IsBroadcastOverBatchOrHeads) {
  Drawing call{.batch = 2, .heads = 2, .kv_heads = 2, .queries = 1, .keys = 2};
  const BlockMap of_heads({"#.", ".#"}, 1, 2, 1, 1);
  of_heads.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"#.", ".#", "#.", ".#"}));
  const BlockMap of_members({"#.", ".#"}, 2, 1, 1, 1);
  of_members.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"#.", "#.", ".#", ".#"}));
}

TEST(BlockMask, MayHaveAnyStrides) {
  Drawing call{.queries = 2, .keys = 3};
  BlockMap map({"#..",  //
                "##."},
               1, 1, 1, 1);
  map.attach_to(call.options);
  call.options.block_mask->strides = {7, 7, -3, -1};
  call.options.block_mask->data = map.bytes.data() + 5;
  EXPECT_EQ(call.draw(), (Picture{".##", "..#"}));
  map.bytes = {1, 0, 0, 1, 0, 1};  // transposed
  call.options.block_mask->strides = {0, 0, 1, 2};
  call.options.block_mask->data = map.bytes.data();
  EXPECT_EQ(call.draw(), (Picture{"#..", ".##"}));
}

TEST(BlockMask, CountsWithinAPackedMember) {
  Drawing call{.queries = 5, .keys = 7};
  const std::array<std::int64_t, 4> cu_q{0, 3, 3, 5}, cu_k{0, 2, 3, 7};
  call.options.cu_seqlens_q = view(cu_q.data(), contiguous({4}));
  call.options.cu_seqlens_k = view(cu_k.data(), contiguous({4}));
  const Picture each{"#.", ".#",   // member 0: 3 queries over 2 keys, so one block of keys, one of whose rows is empty
                     "##", "##",   // member 1 has no queries
                     ".#", "##"};  // member 2: 2 queries over 4 keys, one block of queries
  const BlockMap maps(each, 3, 1, 2, 2);
  maps.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"##.....",  //
                                  "##.....",  //
                                  ".......",  //
                                  ".....##",  //
                                  ".....##"}));
  const BlockMap one({"#.",  //
                      "##"},
                     1, 1, 2, 2);
  one.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"##.....",  //
                                  "##.....",  //
                                  "##.....",  //
                                  "...##..",  //
                                  "...##.."}));
}

TEST(BlockMask, ARowWithNothingLeftIsEmptyUnlessItHasASink) {
  Drawing call{.queries = 2, .keys = 2};
  const BlockMap map({"##", ".."}, 1, 1, 1, 1);
  map.attach_to(call.options);
  EXPECT_EQ(call.draw(), (Picture{"##", ".."}));
  EXPECT_EQ(call.lse[1], -infinity);
  const float sink = 0.5f;
  call.options.sinks = view(&sink, contiguous({1}));
  EXPECT_EQ(call.draw(), (Picture{"##", ".."}));
  EXPECT_EQ(call.lse[1], sink);
}

/// Every query of every block attends what the map says, whatever the pattern.
void expect_pattern(const Picture& pattern, std::int64_t block) {
  const auto blocks = static_cast<std::int64_t>(pattern.size());
  Drawing call{.queries = blocks * block, .keys = blocks * block};
  const BlockMap map(pattern, 1, 1, block, block);
  map.attach_to(call.options);
  Picture expected;
  for (const std::string& line : pattern) {
    std::string wide;
    for (const char c : line) wide.append(static_cast<std::size_t>(block), c);
    expected.insert(expected.end(), static_cast<std::size_t>(block), wide);
  }
  EXPECT_EQ(call.draw(), expected);
}

/// Beltagy, Peters and Cohan, "Longformer", 2020: a window, and a token that sees and is seen by all.
TEST(BlockMask, Longformer) {
  expect_pattern({"########",  //
                  "###.....",  //
                  "####....",  //
                  "#.###...",  //
                  "#..###..",  //
                  "#...###.",  //
                  "#....###",  //
                  "#.....##"},
                 5);
}

/// Zaheer et al., "Big Bird", 2020: a window, global blocks at both ends, and some at random.
TEST(BlockMask, BigBird) {
  expect_pattern({"########",  //
                  "###..#.#",  //
                  "####...#",  //
                  "#.####.#",  //
                  "##.###.#",  //
                  "#..#####",  //
                  "#.#..###",  //
                  "########"},
                 16);
}

TEST(BlockMask, WhatItTakesAwayMayHoldAnything) {
  const std::array<float, 2> query{1, 1}, key{1, std::numeric_limits<float>::quiet_NaN()}, value{3, infinity};
  std::array<float, 2> out{};
  AttentionOptions options;
  options.backend = "naive";
  const BlockMap map({"#."}, 1, 1, 2, 1);
  map.attach_to(options);
  default_engine().attention({view(query.data(), bhsd(1, 1, 2, 1)), view(key.data(), bhsd(1, 1, 2, 1)),
                              view(value.data(), bhsd(1, 1, 2, 1)), view(out.data(), bhsd(1, 1, 2, 1))},
                             options);
  EXPECT_EQ(out, (std::array<float, 2>{3, 3}));
}

}  // namespace
}  // namespace attune
