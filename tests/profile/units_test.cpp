#include "tools/attune/units.hpp"

#include <gtest/gtest.h>

#include "tools/attune/terminal.hpp"

namespace attune::tool {
namespace {

TEST(Units, Durations) {
  EXPECT_EQ(duration(0), "0 ns");
  EXPECT_EQ(duration(31.24e-6), "31.2 µs");
  EXPECT_EQ(duration(1.349e-3), "1.35 ms");
  EXPECT_EQ(duration(999.9e-6), "1.00 ms") << "what rounds up to a unit is told in it";
  EXPECT_EQ(duration(0.431), "431 ms");
  EXPECT_EQ(duration(2), "2 s");
  EXPECT_EQ(duration(750), "12.5 min");
}

TEST(Units, Sizes) {
  EXPECT_EQ(size(0), "0 B");
  EXPECT_EQ(size(65536), "64 KB");
  EXPECT_EQ(size(1.5 * 1024 * 1024 * 1024), "1.50 GB");
}

TEST(Units, Lengths) {
  EXPECT_EQ(sequence_length(128), "128");
  EXPECT_EQ(sequence_length(1000), "1000");
  EXPECT_EQ(sequence_length(1024), "1k");
  EXPECT_EQ(sequence_length(16384), "16k");
}

TEST(Terminal, BarsComeInEighths) {
  EXPECT_EQ(bar(0, 4), "");
  EXPECT_EQ(bar(1, 2), "██");
  EXPECT_EQ(bar(9.0 / 16, 2), "█▏");
  EXPECT_EQ(bar(7, 1), "█") << "more than all is all";
}

}  // namespace
}  // namespace attune::tool
