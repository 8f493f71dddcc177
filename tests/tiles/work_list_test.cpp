// However the work is cut, every row belongs to exactly one item.
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "backends/tiled/work_list.hpp"

namespace {

using attune::tiled::Item;
using attune::tiled::max_rows_per_item;
using attune::tiled::max_tiles_per_item;
using attune::tiled::WorkList;
using attune::tiled::WorkShape;

TEST(WorkList, CoversEveryRowOnce) {
  for (const int threads : {1, 2, 7, 64})
    for (const std::int64_t rows : {1, 31, 32, 33, 1000, 5000})
      for (const std::int64_t members : {1, 3})
        for (const bool heaviest_last : {false, true}) {
          const WorkShape shape{members, 2, rows, 32, threads};
          const WorkList work(shape, heaviest_last);
          std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, int> seen;
          for (std::int64_t index = 0; index < work.size(); ++index) {
            const Item item = work[index];
            ASSERT_LT(item.member, members);
            ASSERT_LT(item.kv_head, 2);
            ASSERT_LT(item.first_row, rows);
            for (int tile = 0; tile < work.tiles_per_item(); ++tile)
              if (const std::int64_t row = item.first_row + tile * 32; row < rows)
                ++seen[{item.member, item.kv_head, row}];
          }
          ASSERT_EQ(seen.size(), static_cast<std::size_t>(members * 2 * ((rows + 31) / 32)));
          for (const auto& [place, count] : seen) ASSERT_EQ(count, 1);
        }
}

TEST(WorkList, NothingToDoIsNoItem) {
  EXPECT_EQ(WorkList({0, 2, 64, 32, 2}, false).size(), 0);
  EXPECT_EQ(WorkList({1, 0, 64, 32, 2}, false).size(), 0);
  EXPECT_EQ(WorkList({1, 2, 0, 32, 2}, false).size(), 0);
}

TEST(WorkList, OneThreadTakesTheLargestItemsAndManyThreadsSmallerOnes) {
  EXPECT_EQ(WorkList({1, 1, 8192, 16, 1}, false).tiles_per_item(), max_tiles_per_item);
  EXPECT_EQ(WorkList({1, 1, 8192, 64, 1}, false).tiles_per_item() * 64, max_rows_per_item);
  EXPECT_GE(WorkList({1, 1, 256, 32, 2}, false).size(), 8);
}

TEST(WorkList, DealsTheHeaviestOfEachHeadFirst) {
  const WorkList work({1, 2, 1024, 32, 4}, true);
  for (std::int64_t index = 1; index < work.size(); ++index)
    if (work[index].kv_head == work[index - 1].kv_head) {
      EXPECT_LT(work[index].first_row, work[index - 1].first_row);
    }
}

}  // namespace
