// However the work is cut, every row belongs to exactly one item.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include <attune/executor.hpp>

#include "backends/tiled/work_list.hpp"

namespace {

using attune::Deal;
using attune::tiled::Grain;
using attune::tiled::Item;
using attune::tiled::max_tiles_per_item;
using attune::tiled::WorkList;
using attune::tiled::WorkShape;

TEST(WorkList, CoversEveryRowOnce) {
  for (const int threads : {1, 2, 7, 64})
    for (const std::int64_t rows : {1, 31, 32, 33, 1000, 5000})
      for (const std::int64_t members : {1, 3})
        for (const auto& [grain, heaviest_last] : {std::pair(Grain::balanced, false), std::pair(Grain::balanced, true),
                                                   std::pair(Grain::small, true), std::pair(Grain::large, true)}) {
          const WorkShape shape{members, 2, rows, 32, threads, grain};
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
  EXPECT_EQ(WorkList({1, 1, 8192, 64, 1}, false).tiles_per_item() * 64, WorkShape{}.rows_in_cache);
  EXPECT_EQ(WorkList({1, 1, 256, 32, 2}, false).size(), 2);
  EXPECT_EQ(WorkList({1, 1, 256, 32, 2}, true).size(), 4);
  EXPECT_EQ(WorkList({1, 3, 256, 32, 2}, false).size(), 6);
  EXPECT_EQ(WorkList({1, 3, 256, 32, 2}, true).size(), 9);
  EXPECT_EQ(WorkList({1, 4, 256, 32, 2}, true).size(), 4);
}

/// How items come to threads.
enum class Sharing { in_order, as_dealt };

/// The item that the worker takes next, of those that nobody has taken.
std::int64_t next_item(Sharing sharing, std::int64_t items, int threads, int worker, std::vector<bool>& taken) {
  if (sharing == Sharing::in_order) return std::find(taken.begin(), taken.end(), false) - taken.begin();
  for (int i = 0; i < threads; ++i)
    for (std::int64_t item = 0; item < items; ++item)
      if (!taken[static_cast<std::size_t>(item)] && Deal{threads}.worker(item) == (worker + i) % threads) return item;
  return items;
}

/// The time of the thread that takes longest where each takes another item when it is free, less one tile that nothing
/// evens out, over that of all tiles shared out evenly. A tile costs 1; or, where later ones attend more keys, its
/// place among those of its head.
double slowest_thread(const WorkList& work, std::int64_t tiles_per_head, int threads, bool heaviest_last,
                      Sharing sharing) {
  std::vector<double> busy_until(static_cast<std::size_t>(threads));
  std::vector<bool> taken(static_cast<std::size_t>(work.size()));
  double all = 0;
  for (std::int64_t i = 0; i < work.size(); ++i) {
    const auto free = std::min_element(busy_until.begin(), busy_until.end());
    const std::int64_t item =
        next_item(sharing, work.size(), threads, static_cast<int>(free - busy_until.begin()), taken);
    taken[static_cast<std::size_t>(item)] = true;
    const std::int64_t first = work[item].first_row / 32;
    double cost = 0;
    for (std::int64_t tile = first; tile < std::min(first + work.tiles_per_item(), tiles_per_head); ++tile)
      cost += heaviest_last ? static_cast<double>(tile + 1) : 1;
    *free += cost;
    all += cost;
  }
  const double one_tile = heaviest_last ? static_cast<double>(tiles_per_head) : 1;
  return (*std::max_element(busy_until.begin(), busy_until.end()) - one_tile) / (all / threads);
}

TEST(WorkList, KeepsAllThreadsBusy) {
  for (const std::int64_t heads : {1, 2, 3, 4, 8, 12, 32})
    for (std::int64_t tiles = 1; tiles <= 60; ++tiles)
      for (const int threads : {2, 3, 4, 8, 16})
        for (const bool heaviest_last : {false, true})
          for (const Sharing sharing : {Sharing::in_order, Sharing::as_dealt}) {
            const WorkList work({1, heads, tiles * 32, 32, threads, Grain::balanced, 1 << 20}, heaviest_last);
            // Items of 16 tiles at most cut three heads of 48 for four threads into nine, which is the worst of it.
            EXPECT_LE(slowest_thread(work, tiles, threads, heaviest_last, sharing), 1.36)
                << heads << " heads of " << tiles << " tiles, " << threads << " threads"
                << (heaviest_last ? ", causal" : "") << (sharing == Sharing::as_dealt ? ", as dealt" : "");
          }
}

TEST(WorkList, MembersOfDifferentLengthsAreCutFiner) {
  WorkShape shape{2, 1, 512, 32, 2, Grain::balanced, 1 << 20};
  EXPECT_EQ(WorkList(shape, false).size(), 2);
  shape.alike = false;
  EXPECT_GE(WorkList(shape, false).size(), 8);
}

TEST(WorkList, RowsOfAnItemTakeHalfOfTheCache) {
  using attune::tiled::rows_in_cache;
  EXPECT_EQ(rows_in_cache(128, 128, 1 << 20), 512);
  EXPECT_EQ(rows_in_cache(192, 64, 1 << 19), 256);
  EXPECT_GT(rows_in_cache(0, 0, 1 << 20), 0);
  EXPECT_EQ(WorkList({1, 1, 8192, 32, 1, Grain::balanced, 1}, false).tiles_per_item(), 1);
}

TEST(WorkList, ItemsAreAsSmallOrLargeAsAsked) {
  EXPECT_EQ(WorkList({1, 1, 8192, 32, 1, Grain::small}, false).tiles_per_item(), 1);
  EXPECT_EQ(WorkList({1, 1, 8192, 32, 64, Grain::large}, false).tiles_per_item() * 32, WorkShape{}.rows_in_cache);
  EXPECT_EQ(WorkList({1, 1, 64, 32, 64, Grain::large}, false).tiles_per_item(), 2);
}

TEST(WorkList, DealsTheHeaviestOfEachHeadFirst) {
  const WorkList work({1, 2, 1024, 32, 4}, true);
  for (std::int64_t index = 1; index < work.size(); ++index)
    if (work[index].kv_head == work[index - 1].kv_head) {
      EXPECT_LT(work[index].first_row, work[index - 1].first_row);
    }
}

TEST(WorkList, DealsEachThreadHeadsOfItsOwn) {
  for (const bool heaviest_last : {false, true}) {
    const WorkList work({2, 3, 1024, 32, 3, Grain::small}, heaviest_last);
    ASSERT_EQ(work.size(), 6 * 32);
    for (std::int64_t index = 0; index < work.size(); ++index) {
      const std::int64_t head = work[index].member * 3 + work[index].kv_head;
      EXPECT_EQ(head / 2, Deal{3}.worker(index));
    }
  }
}

TEST(WorkList, KnowsWhetherAThreadHasJustHadTheHead) {
  for (const std::int64_t heads : {1, 2, 3, 5, 8}) {
    const int threads = 3;
    const WorkList work({1, heads, 1024, 32, threads, Grain::small}, true);
    const Deal deal{threads};
    for (std::int64_t index = 0; index < work.size() / threads * threads; ++index) {  // the rest comes out as it may
      if (deal.round(index) == 0) {
        EXPECT_FALSE(work[index].head_again) << index;
        continue;
      }
      const std::int64_t before = deal.item(deal.worker(index), deal.round(index) - 1);
      EXPECT_EQ(work[index].head_again, work[before].kv_head == work[index].kv_head) << heads << " " << index;
    }
  }
}

TEST(WorkList, RunsTakeEveryPlaceOnce) {
  for (const std::int64_t size : {1, 2, 3, 7, 12, 100})
    for (const int threads : {1, 2, 3, 8}) {
      std::vector<int> seen(static_cast<std::size_t>(size));
      for (std::int64_t index = 0; index < size; ++index) {
        const std::int64_t place = attune::tiled::place_in_runs(index, size, threads);
        ASSERT_GE(place, 0);
        ASSERT_LT(place, size);
        ++seen[static_cast<std::size_t>(place)];
      }
      for (const int count : seen) EXPECT_EQ(count, 1) << size << " " << threads;
    }
}

TEST(Decode, TakesFewRowsAlwaysAndMoreWhereThereAreKeysToRead) {
  using attune::tiled::decodes_by_rows;
  for (const bool in_order : {false, true}) {
    for (const std::int64_t keys : {0, 1, 128, 100000}) EXPECT_TRUE(decodes_by_rows(8, keys, in_order));
    EXPECT_FALSE(decodes_by_rows(0, 4096, in_order));
    EXPECT_FALSE(decodes_by_rows(16, 16, in_order));
    EXPECT_EQ(decodes_by_rows(16, 128, in_order), in_order);
    EXPECT_FALSE(decodes_by_rows(28, 128, in_order));
    EXPECT_EQ(decodes_by_rows(28, 192, in_order), in_order);
    EXPECT_TRUE(decodes_by_rows(16, 4096, in_order));
    EXPECT_FALSE(decodes_by_rows(attune::tiled::max_decode_rows + 1, 4096, in_order));
  }
}

TEST(Decode, RowsFillTilesThatHaveHardlyAnIdleLane) {
  using attune::tiled::fill_tiles;
  for (const std::int64_t rows : {13, 16, 25, 32}) EXPECT_TRUE(fill_tiles(rows, 32, false)) << rows;
  for (const std::int64_t rows : {1, 8, 12, 17, 24, 33}) EXPECT_FALSE(fill_tiles(rows, 32, false)) << rows;
  for (const std::int64_t rows : {13, 16, 19, 24, 32}) EXPECT_TRUE(fill_tiles(rows, 16, false)) << rows;
  for (const std::int64_t rows : {7, 8, 12, 17, 18}) EXPECT_FALSE(fill_tiles(rows, 16, false)) << rows;
  for (const std::int64_t rows : {13, 16, 24, 28}) EXPECT_FALSE(fill_tiles(rows, 32, true)) << rows;
  for (const std::int64_t rows : {29, 32}) EXPECT_TRUE(fill_tiles(rows, 32, true)) << rows;
}

TEST(Decode, ChunksFitTheScratchMemory) {
  for (const std::int64_t keys : {1, 1024, 1025, 100000}) {
    EXPECT_GT(attune::tiled::keys_per_chunk(keys), 0);
    EXPECT_LE(attune::tiled::keys_per_chunk(keys), attune::tiled::max_chunk);
  }
}

TEST(Decode, NoFewerKeysHaveMoreChunksThanThereIsMemoryFor) {
  std::int64_t most = 0;
  for (std::int64_t keys = 1; keys <= 40000; ++keys) {
    const std::int64_t size = attune::tiled::keys_per_chunk(keys);
    most = std::max(most, (keys + size - 1) / size);
    ASSERT_LE(most, attune::tiled::most_chunks(keys)) << keys;
    ASSERT_LE(size, attune::tiled::max_chunk) << keys;
  }
}

TEST(Decode, PackedMembersHavePlacesForTheirChunksAndNoMuchMore) {
  std::int64_t first = 0, member = 0, chunks = 0;
  for (const std::int64_t keys : {0, 1, 300, 511, 1024, 1025, 20000, 100, 100, 512, 900, 131072, 7}) {
    const std::int64_t size = attune::tiled::keys_per_chunk(keys), own = (keys + size - 1) / size;
    const std::int64_t place = attune::tiled::first_packed_place(member, first);
    first += keys;
    ++member;
    chunks += own;
    ASSERT_GE(attune::tiled::first_packed_place(member, first) - place, own) << keys;
  }
  EXPECT_LT(attune::tiled::first_packed_place(member, first), 2 * (chunks + member));
}

}  // namespace
