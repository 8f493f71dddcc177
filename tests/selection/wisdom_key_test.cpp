// Which calls share an entry of wisdom.
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/selection/some_wisdom.hpp"

namespace attune::detail {
namespace {

using test::some_entry;
using test::some_key;

Buckets of(std::int64_t batch, std::int64_t queries, std::int64_t keys) {
  return buckets_of(Problem{}, Extents::padded(batch, queries, keys));
}

TEST(Buckets, AreLimitedByPowersOfTwo) {
  EXPECT_EQ(of(1, 512, 512), of(1, 257, 300));
  EXPECT_NE(of(1, 512, 512), of(1, 513, 512));
  EXPECT_NE(of(1, 512, 512), of(1, 256, 512));
  EXPECT_NE(of(2, 512, 512), of(1, 512, 512));
  EXPECT_EQ(of(3, 5, 600).keys, 1024);
}

TEST(Buckets, NothingIsItsOwn) {
  EXPECT_EQ(of(0, 0, 0).keys, 0);
  EXPECT_NE(of(1, 2, 0), of(1, 2, 1));
}

TEST(Buckets, AGrowingDecodeGoesThroughFew) {
  std::set<std::int64_t> seen;
  for (std::int64_t keys = 1; keys <= 16384; ++keys) seen.insert(of(1, 1, keys).keys);
  EXPECT_EQ(seen, (std::set<std::int64_t>{1, 4, 16, 64, 256, 1024, 4096, 16384}));
}

TEST(Buckets, HugeSizesDoNotOverflow) {
  constexpr auto huge = std::numeric_limits<std::int64_t>::max();
  const Buckets b = buckets_of(Problem{}, {huge, 1, huge, huge, huge});
  EXPECT_GT(b.batch, 0);
  EXPECT_GE(b.keys, b.batch);
}

TEST(Buckets, PackedMembersCountTheirTokens) {
  Problem packed;
  packed.cu_seqlens = true;
  EXPECT_NE(buckets_of(packed, {4, 100, 100, 120, 120}), buckets_of(packed, {4, 100, 100, 400, 400}));
  EXPECT_EQ(of(4, 100, 100).total_keys, 0);
}

TEST(Table, FindsWithoutOwningTheName) {
  WisdomKey key = some_key(3);
  key.backend = "tiled";
  key.isa = Isa::avx2;
  const WisdomTable table(test::one(key, some_entry()));
  const WisdomQuestion same{key.problem, key.buckets, key.threads, "tiled", Isa::avx2};
  ASSERT_NE(table.find(same), nullptr);
  EXPECT_EQ(table.find(same)->winner.backend, "tiled");
  EXPECT_EQ(hash_value(same), WisdomKeyHash{}(key));
}

TEST(Table, EveryPartOfTheKeyCounts) {
  const WisdomKey key = some_key(3);
  const WisdomTable table(test::one(key, some_entry()));
  const WisdomQuestion same{key.problem, key.buckets, key.threads, "", std::nullopt};
  ASSERT_NE(table.find(same), nullptr);
  const auto misses = [&](auto change) {
    WisdomQuestion other = same;
    change(other);
    EXPECT_EQ(table.find(other), nullptr);
  };
  misses([](WisdomQuestion& q) { q.problem.causal = true; });
  misses([](WisdomQuestion& q) { q.problem.lse = true; });
  misses([](WisdomQuestion& q) { q.buckets.keys *= 2; });
  misses([](WisdomQuestion& q) { q.threads = 1; });
  misses([](WisdomQuestion& q) { q.backend = "simd"; });
  misses([](WisdomQuestion& q) { q.isa = Isa::sse2; });
}

TEST(Merge, TheLaterMeasurementStays) {
  WisdomEntries entries = test::one(some_key(1), some_entry(1000));
  WisdomEntry older = some_entry(999), newer = some_entry(1001);
  older.winner.backend = "older";
  newer.winner.backend = "newer";
  merge(entries, test::one(some_key(1), older));
  EXPECT_EQ(entries.begin()->second.winner.backend, "tiled");
  merge(entries, test::one(some_key(1), newer));
  EXPECT_EQ(entries.begin()->second.winner.backend, "newer");
  EXPECT_EQ(entries.size(), 1u);
}

TEST(Merge, TheOldestLeaveWhereThereAreTooMany) {
  WisdomEntries entries;
  const auto count = static_cast<std::int64_t>(most_wisdom_entries);
  for (std::int64_t i = 0; i < count + 10; ++i) add(entries, some_key(i), some_entry(i));
  merge(entries, {});
  EXPECT_EQ(entries.size(), most_wisdom_entries);
  EXPECT_FALSE(entries.contains(some_key(9)));
  EXPECT_TRUE(entries.contains(some_key(10)));
  for (std::int64_t i = 0; i < count; ++i) add(entries, some_key(-1 - i), some_entry(count * 2));
  merge(entries, {});
  EXPECT_EQ(entries.size(), most_wisdom_entries);
}

}  // namespace
}  // namespace attune::detail
