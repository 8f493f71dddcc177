// tiled against naive, on every instruction set of this machine, within the tolerance that tolerance.hpp derives.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/linear/linear_case.hpp"
#include "tests/linear/tolerance.hpp"

namespace attune::test {
namespace {

void expect_equal(const LinearSizes& sizes, bool with_state) {
  const LinearCase c(sizes, 7);
  const LinearReference reference = reference_of(c, with_state);
  const LinearResult expected = run(c, "naive", with_state);
  const LinearTolerance tolerance(sizes.keys, sizes.dim, reference.largest_negative);
  for (const std::string& isa : isas()) {
    const LinearResult result = run(c, "tiled", with_state, isa);
    for (std::size_t i = 0; i < result.out.size(); ++i)
      ASSERT_LE(std::abs(static_cast<double>(result.out[i]) - static_cast<double>(expected.out[i])),
                tolerance.of_out() * reference.mass[i] + 0x1p-126)
          << sizes.text() << (with_state ? ", state, " : ", ") << isa << ", element " << i;
    for (std::size_t i = 0; i < result.state.size(); ++i)
      ASSERT_LE(std::abs(static_cast<double>(result.state[i]) - static_cast<double>(expected.state[i])),
                tolerance.of_state() * reference.state_mass[i] + 0x1p-126)
          << sizes.text() << ", " << isa << ", state's element " << i;
  }
}

TEST(LinearTiled, AgreesAroundEveryEdgeOfLanesChunksAndSegments) {
  for (const bool with_state : {false, true})
    for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 130, 511, 512, 513, 700})
      for (const bool causal : {false, true}) expect_equal({1, 1, 1, n, n, 16, 16, causal}, with_state);
}

TEST(LinearTiled, AgreesForEveryHeadDim) {
  for (const std::int64_t dim : {1, 3, 8, 15, 40, 64, 80, 129})
    for (const std::int64_t value_dim : {0, 1, 7, 15, 16, 31, 32, 64, 65})
      expect_equal({1, 1, 1, 70, 70, dim, value_dim, true}, true);
}

TEST(LinearTiled, AgreesForGroupsBatchesAndCrossAttention) {
  for (const bool with_state : {false, true}) {
    expect_equal({3, 6, 2, 75, 75, 24, 20, true}, with_state);
    expect_equal({2, 8, 1, 40, 600, 24, 20, false}, with_state);
    expect_equal({1, 4, 4, 600, 3, 24, 20, false}, with_state);
    expect_equal({1, 2, 1, 5, 0, 8, 8, false}, with_state);
    expect_equal({1, 2, 1, 0, 9, 8, 8, false}, with_state);
    expect_equal({0, 2, 1, 4, 4, 8, 8, true}, with_state);
  }
}

TEST(LinearTiled, Reads16BitAndStridedTensorsAsTheirValues) {
  // The same numbers, exact in bf16 and f16, in every dtype and as [B, S, H, D]: the same bits.
  const LinearSizes sizes{2, 4, 2, 70, 70, 20, 12, true};
  LinearCase c(sizes);
  for (auto* elements : {&c.query, &c.key, &c.value})
    for (float& x : *elements) x = std::round(x * 16) / 16;
  const std::vector<float> expected = run(c, "tiled", false).out;
  const auto converted = [](const std::vector<float>& from, auto convert) {
    std::vector<decltype(convert(0.0))> to;
    for (const float x : from) to.push_back(convert(x));
    return to;
  };
  const auto k = converted(c.key, to_bfloat16);
  const auto v = converted(c.value, to_float16);
  std::vector<float> q(c.query.size()), out(expected.size());
  const TensorLayout strided = bshd(2, 70, 4, 20);
  for (std::int64_t b = 0, i = 0; b < 2; ++b)
    for (std::int64_t h = 0; h < 4; ++h)
      for (std::int64_t s = 0; s < 70; ++s)
        for (std::int64_t d = 0; d < 20; ++d, ++i)
          q[static_cast<std::size_t>(b * strided.strides[0] + h * strided.strides[1] + s * strided.strides[2] + d)] =
              c.query[static_cast<std::size_t>(i)];
  linear_attention(view(std::as_const(q).data(), strided), view(k.data(), c.k()), view(v.data(), c.v()),
                   view(out.data(), c.out_layout()), {.causal = true, .backend = "tiled"});
  EXPECT_EQ(out, expected);
}

}  // namespace
}  // namespace attune::test
