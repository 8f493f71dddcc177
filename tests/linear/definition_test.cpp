// naive against the recurrence: two formulas in double, so that n · D roundings of 2⁻⁵³ and the one to f32 are all that
// may lie between them.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/linear/linear_case.hpp"

namespace attune::test {
namespace {

void expect_defined(const LinearSizes& sizes, bool with_state) {
  const LinearCase c(sizes);
  const LinearResult result = run(c, linear_backend("naive"), with_state);
  const LinearReference reference = reference_of(c, with_state);
  const double steps = static_cast<double>((sizes.keys + 1) * sizes.dim + 8);
  for (std::size_t i = 0; i < result.out.size(); ++i) {
    const double allowed = steps * 0x1p-51 * reference.mass[i] + 0x1p-24 * std::abs(reference.out[i]) + 0x1p-149;
    ASSERT_LE(std::abs(static_cast<double>(result.out[i]) - reference.out[i]), allowed) << sizes.text() << ", " << i;
  }
  for (std::size_t i = 0; i < result.state.size(); ++i) {
    const double allowed = steps * 0x1p-51 * reference.state_mass[i] + 0x1p-24 * std::abs(reference.state[i]);
    ASSERT_LE(std::abs(static_cast<double>(result.state[i]) - reference.state[i]), allowed)
        << sizes.text() << ", " << i;
  }
}

TEST(LinearNaive, IsTheDefinition) {
  for (const bool with_state : {false, true}) {
    for (const bool causal : {false, true}) {
      expect_defined({1, 1, 1, 1, 1, 1, 1, causal}, with_state);
      expect_defined({2, 4, 2, 33, 33, 7, 5, causal}, with_state);
    }
    expect_defined({1, 3, 1, 4, 70, 8, 8, false}, with_state);
    expect_defined({1, 1, 1, 5, 0, 8, 8, false}, with_state);
  }
}

TEST(LinearNaive, ByHand) {
  // φ(0) = 1 and φ(1) = 2: the weights of the two keys are 1 · 1 and 1 · 2.
  const float q[] = {0}, k[] = {0, 1}, v[] = {3, 6};
  float out[] = {0};
  linear_attention(view(q, bhsd(1, 1, 1, 1)), view(k, bhsd(1, 1, 2, 1)), view(v, bhsd(1, 1, 2, 1)),
                   view(out, bhsd(1, 1, 1, 1)), {.backend = "naive"});
  EXPECT_EQ(out[0], 5.0f);
}

TEST(LinearNaive, TakesF64) {
  const double q[] = {-1}, k[] = {-2, 1}, v[] = {3, 6};
  double out[] = {0};
  linear_attention(view(q, bhsd(1, 1, 1, 1)), view(k, bhsd(1, 1, 2, 1)), view(v, bhsd(1, 1, 2, 1)),
                   view(out, bhsd(1, 1, 1, 1)));
  EXPECT_DOUBLE_EQ(out[0], (3 * std::exp(-2) + 6 * 2) / (std::exp(-2) + 2));
}

}  // namespace
}  // namespace attune::test
