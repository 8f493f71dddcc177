// Calls without options take a shorter way through their tiles: to the same bits as the way of those that have some.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <attune/attune.hpp>

namespace attune {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

template <typename Element>
class PlainTilesTest : public testing::Test {
 protected:
  struct Sizes {
    std::int64_t heads, kv_heads, queries, keys, dim;
  };

  PlainTilesTest() : engine_(Engine::Config{}) {}

  static Element element(float x) {
    if constexpr (std::is_same_v<Element, float>)
      return x;
    else
      return to_bfloat16(static_cast<double>(x));
  }

  static float number(Element x) {
    if constexpr (std::is_same_v<Element, float>)
      return x;
    else
      return to_float(x);
  }

  void make(const Sizes& sizes) {
    sizes_ = sizes;
    std::mt19937 bits(1);
    std::normal_distribution<float> distribution;
    const auto filled = [&](std::int64_t heads, std::int64_t rows) {
      std::vector<Element> numbers(static_cast<std::size_t>(heads * rows * sizes.dim));
      for (Element& x : numbers) x = element(distribution(bits));
      return numbers;
    };
    query_ = filled(sizes.heads, sizes.queries);
    key_ = filled(sizes.kv_heads, sizes.keys);
    value_ = filled(sizes.kv_heads, sizes.keys);
  }

  /// A call that asks for lse, too, is not plain.
  std::vector<Element> attend(const std::string& backend, Isa isa, bool plain) {
    std::vector<Element> out(query_.size());
    std::vector<float> lse(static_cast<std::size_t>(sizes_.heads * sizes_.queries));
    AttentionOptions options;
    const std::string isa_name = name(isa);
    options.backend = backend;
    options.isa = isa_name;
    if (!plain) options.lse = view(lse.data(), contiguous({1, sizes_.heads, sizes_.queries}));
    const auto [heads, kv_heads, queries, keys, dim] = sizes_;
    const auto as_constant = [](const std::vector<Element>& numbers) { return numbers.data(); };
    engine_.attention(
        {view(as_constant(query_), bhsd(1, heads, queries, dim)), view(as_constant(key_), bhsd(1, kv_heads, keys, dim)),
         view(as_constant(value_), bhsd(1, kv_heads, keys, dim)), view(out.data(), bhsd(1, heads, queries, dim))},
        options);
    return out;
  }

  void expect_same_bits(const std::string& what) {
    for (const std::string backend : {"simd", "tiled"})
      for (const Isa isa : Machine::detect().isas) {
        const std::vector<Element> expected = attend(backend, isa, false), got = attend(backend, isa, true);
        EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(Element)), 0)
            << what << ", " << backend << " " << name(isa);
      }
  }

  std::vector<Element> query_, key_, value_;

 private:
  Sizes sizes_{};
  Engine engine_;
};

using Elements = testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(PlainTilesTest, Elements);

TYPED_TEST(PlainTilesTest, ComeToTheBitsOfOthers) {
  for (const std::int64_t queries : {9, 16, 17, 32, 45, 128})
    for (const std::int64_t keys : {1, 16, 17, 63, 128})
      for (const std::int64_t dim : {8, 33, 64, 72}) {
        this->make({3, 3, queries, keys, dim});
        this->expect_same_bits(std::to_string(queries) + " queries, " + std::to_string(keys) + " keys, head_dim " +
                               std::to_string(dim));
      }
}

TYPED_TEST(PlainTilesTest, HoldTheQueriesOfAGroup) {
  for (const std::int64_t queries : {3, 5, 11, 40}) {
    this->make({12, 2, queries, 24, 32});
    this->expect_same_bits(std::to_string(queries) + " queries");
  }
}

TYPED_TEST(PlainTilesTest, LeaveWhatIsNotFiniteToOthers) {
  for (const float x : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    this->make({2, 2, 20, 32, 64});
    this->value_[5] = this->element(x);
    this->value_[70] = this->element(x);
    this->expect_same_bits("a value of " + std::to_string(x));
    this->make({2, 2, 20, 32, 64});
    this->key_[5] = this->element(x);
    this->expect_same_bits("a key of " + std::to_string(x));
  }
}

/// Whose value is NaN, for queries whose score of that key is −inf: weight 0, so that nothing of it may be seen.
TYPED_TEST(PlainTilesTest, LeaveKeysOfWeightZeroToOthers) {
  this->make({2, 2, 20, 32, 64});
  this->key_[5] = this->element(-infinity);
  this->value_[7] = this->element(std::numeric_limits<float>::quiet_NaN());
  this->expect_same_bits("a key of weight 0");
  const std::vector<TypeParam> out = this->attend("tiled", Machine::detect().isa, true);
  for (int row = 0; row < 20; ++row) {
    const bool positive = this->number(this->query_[static_cast<std::size_t>(row * 64 + 5)]) > 0;
    EXPECT_EQ(std::isfinite(this->number(out[static_cast<std::size_t>(row * 64 + 7)])), positive) << "row " << row;
  }
}

TEST(PlainTiles, ReadNothingOfACallWithoutHeads) {
  const std::unique_ptr<float[]> none(new float[0]);
  const float* const first = none.get();
  for (const std::string backend : {"simd", "tiled"}) {
    AttentionOptions options;
    options.backend = backend;
    options.sinks = view(first, contiguous({0}));
    const TensorView rows = view(first, bhsd(1, 0, 4, 8));
    attention(rows, rows, rows, view(none.get(), bhsd(1, 0, 4, 8)), options);
  }
}

}  // namespace
}  // namespace attune
