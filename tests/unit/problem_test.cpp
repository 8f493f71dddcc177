// Problem: features, hash, the size of the work; and which keys a row attends.
#include <gtest/gtest.h>

#include <attune/arguments.hpp>
#include <attune/problem.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace attune {
namespace {

TEST(Features, EachOptionHasItsBit) {
  const auto only = [](auto set) {
    Problem problem;
    set(problem);
    return problem.features();
  };
  const auto bit = [](Feature feature) { return static_cast<std::uint64_t>(feature); };
  EXPECT_EQ(Problem{}.features(), 0u);
  EXPECT_EQ(only([](Problem& p) { p.causal = true; }), bit(Feature::causal));
  EXPECT_EQ(only([](Problem& p) { p.window_left = 0; }), bit(Feature::window));
  EXPECT_EQ(only([](Problem& p) { p.window_right = 3; }), bit(Feature::window));
  EXPECT_EQ(only([](Problem& p) { p.align = Align::Kind::top_left; }), 0u);
  EXPECT_EQ(only([](Problem& p) { p.align = Align::Kind::offset; }), bit(Feature::align_offset));
  EXPECT_EQ(only([](Problem& p) { p.align = Align::Kind::offsets; }), bit(Feature::align_offset));
  EXPECT_EQ(only([](Problem& p) { p.softcap = true; }), bit(Feature::softcap));
  EXPECT_EQ(only([](Problem& p) { p.mask = MaskKind::boolean; }), bit(Feature::mask_bool));
  EXPECT_EQ(only([](Problem& p) { p.mask = MaskKind::f32; }), bit(Feature::mask_float));
  EXPECT_EQ(only([](Problem& p) { p.mask = MaskKind::f16; }), bit(Feature::mask_float) | bit(Feature::f16));
  EXPECT_EQ(only([](Problem& p) { p.alibi = true; }), bit(Feature::alibi));
  EXPECT_EQ(only([](Problem& p) { p.sinks = true; }), bit(Feature::sinks));
  EXPECT_EQ(only([](Problem& p) { p.key_lengths = true; }), bit(Feature::key_lengths));
  EXPECT_EQ(only([](Problem& p) { p.cu_seqlens = true; }), bit(Feature::cu_seqlens));
  EXPECT_EQ(only([](Problem& p) { p.lse = true; }), bit(Feature::lse));
  EXPECT_EQ(only([](Problem& p) { p.weights = true; }), bit(Feature::weights));
  EXPECT_EQ(only([](Problem& p) { p.block_mask = true; }), bit(Feature::block_mask));
  EXPECT_EQ(only([](Problem& p) { p.heads = 4; }), bit(Feature::gqa));
  EXPECT_EQ(only([](Problem& p) { p.key_dtype = DType::bf16; }), bit(Feature::bf16) | bit(Feature::mixed_dtypes));
  EXPECT_EQ(only([](Problem& p) { p.query_dtype = p.key_dtype = p.value_dtype = p.out_dtype = DType::f64; }),
            bit(Feature::f64));
}

TEST(Features, EachHasAName) {
  std::set<std::string> names;
  for (int shift = 0; shift <= 17; ++shift) names.insert(name(static_cast<Feature>(1ull << shift)));
  EXPECT_EQ(names.size(), 18u);
  EXPECT_EQ(names.count("unknown"), 0u);
}

TEST(HashValue, DiffersWhereProblemsDiffer) {
  std::set<std::size_t> hashes;
  std::size_t problems = 0;
  for (const std::int64_t heads : {1, 2, 12}) {
    for (const std::int64_t dim : {1, 64, 128}) {
      for (const bool causal : {false, true}) {
        for (const std::int64_t window : {-1, 0, 128}) {
          Problem problem;
          problem.heads = heads;
          problem.head_dim = dim;
          problem.causal = causal;
          problem.window_left = window;
          hashes.insert(hash_value(problem));
          ++problems;
        }
      }
    }
  }
  EXPECT_EQ(hashes.size(), problems);
}

/// The definition: count what Arguments::attended_keys leaves.
double counted_pairs(const Problem& problem, const Extents& extents) {
  Arguments a;
  a.causal = problem.causal;
  a.window_left = problem.window_left;
  a.window_right = problem.window_right;
  Member member;
  member.queries = extents.queries;
  member.keys = extents.keys;
  member.offset = problem.align == Align::Kind::top_left ? 0 : extents.keys - extents.queries;
  std::int64_t pairs = 0;
  for (std::int64_t i = 0; i < extents.queries; ++i) {
    const KeyRange range = a.attended_keys(member, i);
    pairs += range.end - range.begin;
  }
  return static_cast<double>(pairs * extents.batch * problem.heads);
}

TEST(AttendedPairs, AreThoseThatTheMasksLeave) {
  for (const bool causal : {false, true}) {
    for (const std::int64_t left : {-1, 0, 1, 3, 50}) {
      for (const std::int64_t right : {-1, 0, 2, 50}) {
        for (const auto align : {Align::Kind::bottom_right, Align::Kind::top_left}) {
          for (const std::int64_t queries : {0, 1, 2, 7, 20}) {
            for (const std::int64_t keys : {0, 1, 5, 7, 31}) {
              Problem problem;
              problem.heads = 3;
              problem.causal = causal;
              problem.window_left = left;
              problem.window_right = right;
              problem.align = align;
              const Extents extents = Extents::padded(2, queries, keys);
              EXPECT_EQ(attended_pairs(problem, extents), counted_pairs(problem, extents))
                  << "causal " << causal << " left " << left << " right " << right << " Sq " << queries << " Sk "
                  << keys << " align " << static_cast<int>(align);
            }
          }
        }
      }
    }
  }
}

TEST(AttendedPairs, TakeNoTimeForHugeLengths) {
  Problem problem;
  problem.causal = true;
  const std::int64_t length = std::int64_t{1} << 40;
  const double half_square = static_cast<double>(length) / 2 * (static_cast<double>(length) + 1);
  EXPECT_EQ(attended_pairs(problem, Extents::padded(1, length, length)), half_square);
}

TEST(AttendedPairs, AreAllUnderWindowsThatLimitNothing) {
  Problem problem;
  for (const std::int64_t window : {std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max()}) {
    problem.window_left = problem.window_right = window;
    EXPECT_EQ(attended_pairs(problem, Extents::padded(1, 512, 512)), 512 * 512) << window;
  }
}

TEST(Flops, CountBothProducts) {
  Problem problem;
  problem.heads = 2;
  problem.head_dim = 64;
  problem.value_dim = 32;
  EXPECT_EQ(flops(problem, Extents::padded(3, 5, 7)), 2.0 * (3 * 2 * 5 * 7) * (64 + 32));
}

TEST(AttendedKeys, SaturateFarOutsideInsteadOfOverflowing) {
  Arguments a;
  a.causal = true;
  a.window_right = std::numeric_limits<std::int64_t>::max();
  Member member;
  member.queries = 4;
  member.keys = 8;
  member.offset = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(a.attended_keys(member, 3).end, 0);
  member.offset = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(a.attended_keys(member, 3).end, 8);
  EXPECT_EQ(a.attended_keys(member, 3).begin, 0);
  a.window_left = 1;
  EXPECT_EQ(a.attended_keys(member, 3).end, 0);
}

}  // namespace
}  // namespace attune
