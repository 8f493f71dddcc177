// What must hold bit for bit, and that a carried state is the whole.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/linear/linear_case.hpp"

namespace attune::test {
namespace {

const LinearSizes many{2, 4, 2, 1100, 1100, 20, 12, true};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Items backwards, each on another worker than its neighbours: what depends on their order comes out.
class Backwards final : public Executor {
 public:
  int num_threads() const noexcept override { return 5; }
  void parallel_for(std::int64_t items, Task task) noexcept override {
    for (std::int64_t item = items; item-- > 0;) task(item, static_cast<int>(item % 5));
  }
};

TEST(LinearLaws, ThreadsAndTheirOrderChangeNoBit) {
  for (const bool causal : {false, true}) {
    LinearSizes sizes = many;
    sizes.causal = causal;
    const LinearCase c(sizes);
    InlineExecutor one;
    Backwards backwards;
    const auto pool = make_executor();
    const LinearResult expected = run(c, "tiled", true, {}, &one);
    for (Executor* executor : {static_cast<Executor*>(&backwards), pool.get()}) {
      const LinearResult result = run(c, "tiled", true, {}, executor);
      EXPECT_TRUE(same_bits(result.out, expected.out));
      EXPECT_TRUE(same_bits(result.state, expected.state));
    }
  }
}

/// Tokens first … first + count − 1 of the case.
TensorView part(TensorView tensor, std::int64_t first, std::int64_t count) {
  tensor.data = tensor.as<float>() + first * tensor.strides[2];
  tensor.shape[2] = count;
  return tensor;
}

TEST(LinearLaws, ACarriedStateIsTheWhole) {
  // Each side of the comparison may be off by the worst case of tolerance.hpp; the additions of a call are at most
  // 512 + 1100/512 + D + 66, a term goes through those of every later call once more (one addition each), so that 8
  // calls add 8: twice (2·e_φ + 610·2⁻²⁴)·2 with |x| ≤ 6.
  constexpr double allowed = 2 * 2 * (2 * (4 + 2 * 6) + 610 + 8) * 0x1p-24;
  const LinearCase c(many);
  const LinearReference reference = reference_of(c, true);
  for (const char* backend : {"naive", "tiled"}) {
    const LinearResult whole = run(c, backend, true);
    LinearResult carried{std::vector<float>(whole.out.size()), c.state};
    std::int64_t first = 0;
    for (const std::int64_t count : {1, 63, 0, 300, 1, 512, 223}) {
      MutableTensorView out = view(carried.out.data(), c.out_layout());
      out.data = carried.out.data() + first * out.strides[2];
      out.shape[2] = count;
      linear_attention(part(c.q(), first, count), part(c.k(), first, count), part(c.v(), first, count), out,
                       {true, view(carried.state.data(), c.state_layout()), backend, {}});
      first += count;
    }
    ASSERT_EQ(first, many.keys);
    for (std::size_t i = 0; i < whole.out.size(); ++i)
      ASSERT_LE(std::abs(static_cast<double>(whole.out[i]) - static_cast<double>(carried.out[i])),
                allowed * reference.mass[i])
          << backend << " " << i;
    for (std::size_t i = 0; i < whole.state.size(); ++i)
      ASSERT_LE(std::abs(static_cast<double>(whole.state[i]) - static_cast<double>(carried.state[i])),
                allowed * reference.state_mass[i])
          << backend << " " << i;
  }
}

TEST(LinearLaws, WhatARowDoesNotSeeChangesNoBit) {
  const LinearCase clean(many);
  for (const char* backend : {"naive", "tiled"}) {
    const std::vector<float> expected = run(clean, backend, false).out;
    for (const std::int64_t poisoned : {70, 511, 512, 1090}) {
      LinearCase c = clean;
      for (std::int64_t d = 0; d < many.value_dim; ++d)
        c.value[static_cast<std::size_t>(poisoned * many.value_dim + d)] = std::numeric_limits<float>::quiet_NaN();
      c.key[static_cast<std::size_t>((poisoned + 1) * many.dim)] = std::numeric_limits<float>::infinity();
      const std::vector<float> out = run(c, backend, false).out;
      const auto seen = static_cast<std::size_t>(poisoned * many.value_dim);
      for (std::size_t i = 0; i < seen; ++i) ASSERT_EQ(out[i], expected[i]) << backend << " " << poisoned;
      EXPECT_TRUE(std::isnan(out[seen])) << "and what it sees, it sees";
    }
  }
}

TEST(LinearLaws, GroupsAreExpandedHeads) {
  const LinearSizes grouped{1, 6, 2, 90, 90, 16, 16, true};
  const LinearCase c(grouped);
  LinearSizes sizes = grouped;
  sizes.kv_heads = 6;
  LinearCase expanded(sizes);
  expanded.query = c.query;
  const std::size_t head = 90 * 16;
  for (std::size_t h = 0; h < 6; ++h) {
    std::copy_n(c.key.begin() + static_cast<std::ptrdiff_t>(h / 3 * head), head,
                expanded.key.begin() + static_cast<std::ptrdiff_t>(h * head));
    std::copy_n(c.value.begin() + static_cast<std::ptrdiff_t>(h / 3 * head), head,
                expanded.value.begin() + static_cast<std::ptrdiff_t>(h * head));
  }
  for (const char* backend : {"naive", "tiled"})
    EXPECT_TRUE(same_bits(run(c, backend, false).out, run(expanded, backend, false).out)) << backend;
}

TEST(LinearLaws, RowsThatSeeNothingAreZero) {
  for (const char* backend : {"naive", "tiled"}) {
    const LinearCase none({1, 1, 1, 3, 0, 4, 4, false});
    for (const float x : run(none, backend, false).out) EXPECT_EQ(x, 0.0f);
    LinearCase vanishing({1, 1, 1, 3, 3, 4, 4, false});
    for (float& x : vanishing.key) x = -std::numeric_limits<float>::infinity();
    for (const float x : run(vanishing, backend, false).out) EXPECT_EQ(x, 0.0f);
  }
}

}  // namespace
}  // namespace attune::test
