// Layout helpers and the arithmetic of bytes and overlaps.
#include "engine/layout.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <vector>

namespace attune::detail {
namespace {

using Sizes = std::array<std::int64_t, max_rank>;

TEST(Layouts, UsualOnesInMemoryOrder) {
  EXPECT_EQ(bhsd(2, 3, 5, 7).strides, (Sizes{105, 35, 7, 1}));
  EXPECT_EQ(bshd(2, 5, 3, 7).shape, (Sizes{2, 3, 5, 7}));
  EXPECT_EQ(bshd(2, 5, 3, 7).strides, (Sizes{105, 7, 21, 1}));
  EXPECT_EQ(contiguous({1, 2, 3, 4, 5}).rank, 0);
  EXPECT_EQ(packed(11, 3, 7).rank, 3);
  EXPECT_EQ(packed(11, 3, 7).strides, (Sizes{21, 7, 1, 0}));
}

TEST(Layouts, SizesWhoseProductDoesNotFitAreNoError) {
  // Whatever the strides are, computing them is defined: a constant expression is refused otherwise.
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  constexpr TensorLayout heads_first = bhsd(huge, huge, huge, huge), tokens_first = bshd(huge, huge, huge, 3);
  EXPECT_EQ(heads_first.shape, (Sizes{huge, huge, huge, huge}));
  EXPECT_EQ(tokens_first.shape, (Sizes{huge, huge, huge, 3}));
}

TEST(Layouts, ViewsTakeTheirDtypeFromThePointer) {
  std::array<bfloat16, 6> data{};
  const MutableTensorView written = view(data.data(), contiguous({2, 3}));
  EXPECT_EQ(written.dtype, DType::bf16);
  EXPECT_EQ(written.data, data.data());
  const std::array<std::int64_t, 2> lengths{};
  const TensorView read = view(lengths.data(), contiguous({2}));
  EXPECT_EQ(read.dtype, DType::i64);
  EXPECT_EQ(read.rank, 1);
}

TensorView at(std::uintptr_t address, const TensorLayout& layout) {
  return {layout, reinterpret_cast<const void*>(address)};
}

TEST(ByteRange, ReachesFromTheFirstToBehindTheLastElement) {
  const auto whole = byte_range(at(4000, contiguous({2, 3, 5})));
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->begin, 4000u);
  EXPECT_EQ(whole->end, 4000u + 30 * 4);

  TensorLayout backwards = contiguous({4});
  backwards.strides[0] = -2;
  const auto range = byte_range(at(4000, backwards));
  ASSERT_TRUE(range);
  EXPECT_EQ(range->begin, 4000u - 6 * 4);
  EXPECT_EQ(range->end, 4004u);
}

TEST(ByteRange, IsNothingWhereStridesLeadOutOfTheAddressSpace) {
  TensorLayout layout = contiguous({3, 3});
  layout.strides = {std::numeric_limits<std::int64_t>::max(), 1};
  EXPECT_FALSE(byte_range(at(4000, layout)));
  layout.strides = {std::numeric_limits<std::int64_t>::min(), 1};
  EXPECT_FALSE(byte_range(at(4000, layout)));
  layout.strides = {-2000, 1};  // 4000 elements below an address of 4000 bytes
  EXPECT_FALSE(byte_range(at(4000, layout)));
  layout.shape = {1, 3};  // an axis that is never stepped along
  EXPECT_TRUE(byte_range(at(4000, layout)));
}

TEST(CountFits, RefusesProductsThatOverflow) {
  constexpr std::int64_t large = std::int64_t{1} << 31;
  EXPECT_TRUE(count_fits(contiguous({1 << 20, 1 << 20, 1 << 10})));
  TensorLayout layout;
  layout.rank = 2;
  layout.shape = {large, large};
  EXPECT_FALSE(count_fits(layout));
  layout.rank = 3;
  layout.shape = {0, large, large};  // without elements, but a backend would multiply the others
  EXPECT_FALSE(count_fits(layout));
}

/// The offsets of all elements; sorted, with repetitions.
std::multiset<std::int64_t> offsets(const TensorLayout& layout) {
  std::multiset<std::int64_t> result{0};
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(layout.rank); ++axis) {
    std::multiset<std::int64_t> next;
    for (std::int64_t i = 0; i < layout.shape[axis]; ++i) {
      for (const std::int64_t offset : result) next.insert(offset + i * layout.strides[axis]);
    }
    result = next;
  }
  return result;
}

TEST(OverlapsItself, LetsEveryPermutedLayoutWithGapsPass) {
  TensorLayout gaps = bshd(2, 5, 3, 7);
  EXPECT_FALSE(overlaps_itself(gaps));
  gaps.strides = {1000, 8, 30, 1};
  EXPECT_FALSE(overlaps_itself(gaps));
  gaps.strides = {1, -4, 60, 2 * 4 * 5 * 8};
  gaps.shape = {4, 3, 5, 7};
  EXPECT_FALSE(overlaps_itself(gaps));
}

TEST(OverlapsItself, NeverOverlooksARepeatedElement) {
  std::mt19937_64 random(7);
  const auto below = [&random](int bound) {
    return static_cast<std::int64_t>(random() % static_cast<unsigned>(bound));
  };
  int repeated_layouts = 0;
  for (int round = 0; round < 5000; ++round) {
    TensorLayout layout;
    layout.rank = 3;
    layout.shape = {1 + below(4), 1 + below(4), 1 + below(4)};
    layout.strides = {below(25) - 12, below(25) - 12, below(25) - 12};
    const auto all = offsets(layout);
    if (std::set<std::int64_t>(all.begin(), all.end()).size() == all.size()) continue;
    ++repeated_layouts;
    ASSERT_TRUE(overlaps_itself(layout)) << "round " << round;
  }
  EXPECT_GT(repeated_layouts, 100);
}

bool share_an_element(const TensorLayout& a, const TensorLayout& b, std::int64_t distance) {
  const auto offsets_a = offsets(a);
  for (const std::int64_t offset : offsets(b)) {
    if (offsets_a.count(offset + distance) != 0) return true;
  }
  return false;
}

TEST(Overlap, IsExactBetweenSlotsOfOneBuffer) {
  std::mt19937_64 random(11);
  const auto below = [&random](int bound) {
    return static_cast<std::int64_t>(random() % static_cast<unsigned>(bound));
  };
  int apart = 0;
  int together = 0;
  for (int round = 0; round < 5000; ++round) {
    // Nested strides with gaps, in any order and direction; two shapes within the same buffer.
    Sizes full{};
    TensorLayout a;
    a.rank = 3;
    std::int64_t stride = 1 + below(2);
    for (const std::size_t axis : {std::size_t{2}, std::size_t{0}, std::size_t{1}}) {
      full[axis] = 1 + below(4);
      a.strides[axis] = below(2) == 0 ? stride : -stride;
      stride *= full[axis] + below(3);
    }
    TensorLayout b = a;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      a.shape[axis] = 1 + below(static_cast<int>(full[axis]));
      b.shape[axis] = 1 + below(static_cast<int>(full[axis]));
    }
    const std::int64_t distance = below(41) - 20;
    const bool expected = share_an_element(a, b, distance);
    (expected ? together : apart) += 1;
    const std::uintptr_t address = 1 << 20;
    ASSERT_EQ(overlap(at(address, a), at(address + static_cast<std::uintptr_t>(distance * 4), b)), expected)
        << "round " << round;
  }
  EXPECT_GT(apart, 500);
  EXPECT_GT(together, 500);
}

TEST(Overlap, OfDifferentLayoutsIsDecidedByByteRanges) {
  const TensorLayout rows = contiguous({4, 8});
  TensorLayout every_other = contiguous({2, 8});
  every_other.strides = {16, 1};
  EXPECT_TRUE(overlap(at(4096, rows), at(4096 + 31 * 4, every_other)));
  EXPECT_FALSE(overlap(at(4096, rows), at(4096 + 32 * 4, every_other)));
  EXPECT_FALSE(overlap(at(4096, rows), at(4096, contiguous({0, 8}))));
}

}  // namespace
}  // namespace attune::detail
