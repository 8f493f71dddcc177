// `attune run --block-mask`: bit for bit what the library gives.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/cli/sample.hpp"

namespace attune::test {
namespace {

/// Blocks of 2 queries and 3 keys: three by three of them.
constexpr std::int64_t block_queries = 2, block_keys = 3;

void expect_library_result(const Sample& sample, const io::Tensor& stored, const io::Tensor& seen) {
  const Outcome outcome = run_attune(sample.run_for_results() +
                                     Words{"--block-mask", sample.store("map.npy", stored), "--block-size", "2,3"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  expect_same(sample.written(), sample.expected([&](AttentionOptions& o) {
    o.block_mask = seen.view();
    o.block_queries = block_queries;
    o.block_keys = block_keys;
  }));
}

TEST(BlockMask, OfBoolOrU8) {
  const Sample sample;
  io::Tensor map = random_tensor(DType::u8, {Sample::batch, Sample::heads, 3, 3}, 4);
  io::Tensor seen = map;
  seen.dtype = DType::boolean;
  expect_library_result(sample, map, seen);
  expect_library_result(sample, seen, seen);
}

TEST(BlockMask, LeadingSizesThatAreMissingAreOne) {
  const Sample sample;
  io::Tensor seen = random_tensor(DType::boolean, {1, Sample::heads, 3, 3}, 5);
  io::Tensor stored = seen;
  stored.shape = {Sample::heads, 3, 3};
  expect_library_result(sample, stored, seen);
  seen = random_tensor(DType::boolean, {1, 1, 3, 3}, 6);
  stored = seen;
  stored.shape = {3, 3};
  expect_library_result(sample, stored, seen);
}

TEST(BlockMask, WhatDoesNotFitIsRefused) {
  const Sample sample;
  io::Tensor map = random_tensor(DType::u8, {3, 3}, 7);
  const Words with_map =
      sample.run() + Words{"--out", sample.folder().path("out.npy"), "--block-mask", sample.store("map.npy", map)};
  const auto expect_refused = [](const Words& arguments, const std::string& words) {
    const Outcome outcome = run_attune(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << words << " in " << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << "one line: " << outcome.err;
  };
  expect_refused(with_map, "--block-size");
  expect_refused(with_map + Words{"--block-size", "2"}, "BQ,BK");
  expect_refused(with_map + Words{"--block-size", "0,3"}, "at least 1");
  expect_refused(with_map + Words{"--block-size", "3,2"}, "block_mask: shape is [1, 1, 3, 3], must be [2, 4, 2, 4]");
  expect_refused(sample.run() + Words{"--out", sample.folder().path("out.npy"), "--block-size", "2,3"}, "--block-mask");
  map.bytes[4] = std::byte{2};
  sample.store("map.npy", map);
  expect_refused(with_map + Words{"--block-size", "2,3"}, "--block-mask");
  sample.store("map.npy", random_tensor(DType::f32, {3, 3}, 8));
  expect_refused(with_map + Words{"--block-size", "2,3"}, "holds f32, must be one of bool, u8");
  EXPECT_FALSE(std::filesystem::exists(sample.folder().path("out.npy")));
}

}  // namespace
}  // namespace attune::test
