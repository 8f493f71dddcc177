#include <gtest/gtest.h>

#include <thread>

#include "backends/onednn/blocks.hpp"
#include "backends/onednn/one_thread.hpp"

namespace attune::onednn {
namespace {

TEST(Blocks, TheSmallestTileThatHoldsTheRows) {
  EXPECT_EQ(tile_queries[tile_for(1)], 4);
  EXPECT_EQ(tile_queries[tile_for(4)], 4);
  EXPECT_EQ(tile_queries[tile_for(5)], 16);
  EXPECT_EQ(tile_queries[tile_for(17)], 64);
  EXPECT_EQ(tile_queries[tile_for(1000)], 64);
}

TEST(Blocks, LargeBlocksUnlessMoreThanHalfIsPadding) {
  EXPECT_EQ(block_keys[block_for(1)], 32);
  EXPECT_EQ(block_keys[block_for(128)], 32);
  EXPECT_EQ(block_keys[block_for(129)], 256);
  EXPECT_EQ(block_keys[block_for(100000)], 256);
}

TEST(Blocks, TilesCoverTheRows) {
  EXPECT_EQ(tiles_of(0), 0);
  EXPECT_EQ(tiles_of(1), 1);
  EXPECT_EQ(tiles_of(64), 1);
  EXPECT_EQ(tiles_of(65), 2);
}

TEST(OneThread, HoldsOneDnnBackAndLetsItGo) {
  const OpenMp openmp = OpenMp::of_onednn();
  if (const std::string why = why_threads_cannot_be_set(openmp); !why.empty()) GTEST_SKIP() << why;
  if (openmp.set_threads == nullptr) GTEST_SKIP() << "this oneDNN has no threads";
  std::thread([&openmp] {  // OpenMP counts for each thread of ours
    openmp.set_threads(3);
    {
      const OneThread guard(openmp);
      EXPECT_EQ(openmp.threads(), 1);
    }
    EXPECT_EQ(openmp.threads(), 3);
  })
      .join();
}

}  // namespace
}  // namespace attune::onednn
