// A bench that does not notice a wrong result proves nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "bench/read_bandwidth.hpp"
#include "bench/ready_call.hpp"
#include "bench/timing.hpp"
#include "bench/workload.hpp"

namespace attune::bench {
namespace {

class WorkloadTest : public testing::TestWithParam<Shape> {};

TEST_P(WorkloadTest, ARightResultPassesAndAChangedElementIsNamed) {
  Engine engine;
  Workload workload(GetParam());
  EXPECT_FALSE(workload.check(engine).fault.empty()) << "nothing has been computed yet";
  ReadyCall(engine, workload.tensors(), workload.options(), std::make_shared<InlineExecutor>()).run();
  const Difference right = workload.check(engine);
  EXPECT_EQ(right.fault, "");
  EXPECT_GT(right.largest, 0);

  auto* bytes = workload.tensors().out.as<std::uint8_t>();
  bytes[size_of(GetParam().dtype) - 1] ^= 0x80;  // the sign of the first element, whose row is always checked
  EXPECT_NE(workload.check(engine).fault.find("out[0, 0, 0, 0]"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Shapes, WorkloadTest,
                         testing::Values(Shape{"f32", 2, 4, 2, 9, 33, 24, true},
                                         Shape{"bf16", 1, 3, 3, 20, 20, 16, false, DType::bf16},
                                         Shape{"f16", 1, 2, 1, 1, 50, 64, true, DType::f16},
                                         Shape{"bshd", 2, 3, 3, 7, 7, 40, false, DType::f32, true}),
                         [](const auto& shape) { return shape.param.name; });

TEST(Timing, QuantilesAreElements) {
  EXPECT_EQ(quantile({3, 1, 2}, 0.5), 2);
  EXPECT_EQ(quantile({4, 1, 3, 2, 5}, 0.25), 2);
  EXPECT_EQ(quantile({7}, 0.75), 7);
}

TEST(Timing, CallsAtLeastOnce) {
  int calls = 0;
  EXPECT_GT(seconds_per_call([&] { ++calls; }, 0), 0);
  EXPECT_EQ(calls, 1);
}

TEST(ReadBandwidth, IsARateOfAnySize) {
  const AlignedBytes bytes(1 << 20);
  std::fill(bytes.span().begin(), bytes.span().end(), std::byte{1});
  const auto all = make_executor();
  for (const std::size_t size : {std::size_t{256}, std::size_t{4096}, std::size_t{1} << 20})
    EXPECT_GT(measure_read_bandwidth(bytes.span().first(size), *all, 0.003), 0) << size;
}

}  // namespace
}  // namespace attune::bench
