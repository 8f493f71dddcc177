// The roofline's table, and when a floor counts as reached.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "bench/roofline/floors.hpp"
#include "bench/roofline/measure.hpp"
#include "bench/roofline/rows.hpp"

namespace attune::bench {
namespace {

TEST(Rows, HaveNamesOfTheirOwnAndFloorsThatAreShares) {
  const Machine machine = Machine::detect();
  for (const Isa isa : machine.isas)
    for (const bool forced : {false, true}) {
      std::set<std::string> names;
      for (const Row& row : rows(machine, isa, forced)) {
        EXPECT_TRUE(names.insert(row.name()).second) << row.name() << " is there twice";
        if (row.limit == Limit::dispatch) continue;
        for (const double floor : {row.floors.one, row.floors.all, row.floors.scaling}) {
          EXPECT_GE(floor, 0) << row.name();
          EXPECT_LT(floor, 1) << row.name();
        }
      }
      EXPECT_FALSE(names.empty());
    }
}

Result result_of(Limit limit, double one, double all, double scaling) {
  Result result;
  result.row.limit = limit;
  result.row.floors = {0.8, 0.7, 0.95};
  for (const double share : {one, all}) {
    Reading& reading = result.readings.emplace_back();
    reading.threads = static_cast<int>(result.readings.size());
    reading.share = share;
  }
  result.scaling = scaling;
  return result;
}

TEST(Floors, AreReachedWithinAPoint) {
  const Tally reached = tally(result_of(Limit::multiply_add, 0.791, 0.9, 0.941));
  EXPECT_EQ(reached.set, 3);
  EXPECT_EQ(reached.missed, 0);
  EXPECT_EQ(tally(result_of(Limit::multiply_add, 0.789, 0.689, 0.939)).missed, 3);
}

TEST(Floors, OfACallAreCeilings) {
  EXPECT_EQ(tally(result_of(Limit::dispatch, 0.5, 0.6, 0)).missed, 0);
  EXPECT_EQ(tally(result_of(Limit::dispatch, 0.81, 0.6, 0)).missed, 1);
}

TEST(Measure, ChecksAndReadsOneRowOnEveryExecutor) {
  Engine engine;
  Row row;
  row.shape = {"small", 1, 2, 1, 3, 40, 16, true};
  for (const Limit limit : {Limit::multiply_add, Limit::read, Limit::slower, Limit::dispatch}) {
    row.limit = limit;
    const Settings settings{{make_executor(1), make_executor(2)}, 0.001, "tiled"};
    const Result result = measure(engine, row, settings);
    EXPECT_EQ(result.difference.fault, "");
    ASSERT_EQ(result.readings.size(), 2u);
    EXPECT_EQ(result.readings[1].threads, 2);
    EXPECT_EQ(result.readings[0].backend, "tiled");
    EXPECT_GT(result.readings[0].seconds, 0);
    if (limit != Limit::dispatch) {
      EXPECT_GT(result.readings[0].share, 0);
    }
  }
}

}  // namespace
}  // namespace attune::bench
