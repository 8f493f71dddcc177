// The yardstick measures every instruction set that this machine has. How fast they are is not asserted.
#include <attune/error.hpp>
#include <attune/peak.hpp>

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/executors.hpp"

namespace attune {
namespace {

TEST(Peak, IsARateForEveryInstructionSetAndForNone) {
  InlineExecutor one;
  for (const Isa isa : Machine::detect().isas) {
    const double rate = measure_peak(isa, one);
    EXPECT_TRUE(std::isfinite(rate) && rate > 0) << name(isa) << ": " << rate;
  }
  EXPECT_GT(measure_peak(Isa::generic, one), 0);
}

TEST(Peak, OfPairsWhereTheyAreMultipliedAndAnErrorElsewhere) {
  InlineExecutor one;
  for (const Isa isa : Machine::detect().isas) {
    if (multiplies(isa, Product::bf16_pairs)) {
      EXPECT_GT(measure_peak(isa, one, Product::bf16_pairs, 0.002), 0) << name(isa);
    } else {
      EXPECT_THROW(measure_peak(isa, one, Product::bf16_pairs, 0.002), Error) << name(isa);
    }
  }
  EXPECT_FALSE(multiplies(Isa::generic, Product::bf16_pairs));
}

TEST(Peak, CountsAllThreads) {
  const auto many = make_executor();
  EXPECT_GT(measure_peak(Machine::detect().isa, *many), 0);
}

TEST(Peak, OfThreadsThatRunOneAfterTheOtherIsARateToo) {
  test::OrderExecutor one_by_one(2, test::Order::reversed);
  EXPECT_GT(measure_peak(Machine::detect().isa, one_by_one, Product::f32, 0.002), 0);
}

}  // namespace
}  // namespace attune
