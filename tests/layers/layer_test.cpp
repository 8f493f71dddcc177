// MultiHeadAttention against the same layer written as loops in double.
//
// Tolerance: every number is carried with a bound of the error that f32 arithmetic may have put into it (u = 2⁻²⁴). A
// sum of n products errs by (n + 2) · u · Σ|a·b| and by what its inputs err; a change of every score by at most δ
// changes a weighted mean of v by at most (e^(2δ) − 1) · Σ w·|v|.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <attune/attune.hpp>

namespace {

using attune::contiguous;
using attune::Engine;
using attune::Error;
using attune::ErrorCode;
using attune::Linear;
using attune::MultiHeadAttention;
using attune::MultiHeadAttentionConfig;
using attune::view;

std::vector<float> random_values(std::int64_t count, unsigned seed) {
  std::mt19937 bits(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& x : values) x = uniform(bits);
  return values;
}

Linear random_map(std::int64_t in, std::int64_t out, unsigned seed, bool bias = true) {
  return {in, out, random_values(in * out, seed), bias ? random_values(out, seed + 100) : std::vector<float>()};
}

constexpr double u = 0x1p-24;

/// A number, and how far its f32 computation may lie from it.
struct Bounded {
  double value = 0, error = 0;
};

using Numbers = std::vector<Bounded>;

Numbers exact(const std::vector<float>& values) {
  Numbers numbers;
  for (const float x : values) numbers.push_back({static_cast<double>(x), 0});
  return numbers;
}

/// Σ a·b as n multiply-adds compute it.
class Sum {
 public:
  void add(Bounded a, Bounded b) {
    value_ += a.value * b.value;
    magnitude_ += std::abs(a.value * b.value);
    inherited_ += std::abs(a.value) * b.error + a.error * std::abs(b.value) + a.error * b.error;
    ++terms_;
  }
  Bounded result() const { return {value_, inherited_ + (terms_ + 2) * u * magnitude_}; }

 private:
  double value_ = 0, magnitude_ = 0, inherited_ = 0, terms_ = 0;
};

/// x [tokens, in] → [tokens, out]
Numbers apply_map(const Linear& map, const Numbers& x) {
  const auto in = static_cast<std::size_t>(map.in_features), out = static_cast<std::size_t>(map.out_features);
  Numbers y;
  for (std::size_t t = 0; t < x.size() / in; ++t)
    for (std::size_t o = 0; o < out; ++o) {
      Sum sum;
      for (std::size_t i = 0; i < in; ++i) sum.add(x[t * in + i], {static_cast<double>(map.weight[o * in + i]), 0});
      if (!map.bias.empty()) sum.add({static_cast<double>(map.bias[o]), 0}, {1, 0});
      y.push_back(sum.result());
    }
  return y;
}

struct Sizes {
  std::size_t batch, queries, keys, heads, group, head_dim, value_dim;
};

/// One query of one head: q is a row, k and v are rows at a stride.
Numbers attend_row(const Sizes& s, const Bounded* q, const Bounded* k, std::size_t k_stride, const Bounded* v,
                   std::size_t v_stride) {
  std::vector<double> weights;
  double total = 0, delta = 0;
  const double scale = 1 / std::sqrt(static_cast<double>(s.head_dim));
  for (std::size_t j = 0; j < s.keys; ++j) {
    Sum sum;
    for (std::size_t d = 0; d < s.head_dim; ++d) sum.add(q[d], k[j * k_stride + d]);
    const double score = sum.result().value * scale;
    // Folding scale and log2 e into the query, the difference from the maximum and exp2 add a few roundings.
    delta = std::max(delta, sum.result().error * scale + 8 * u * (1 + std::abs(score)));
    weights.push_back(std::exp(score));
    total += weights.back();
  }
  Numbers out;
  for (std::size_t d = 0; d < s.value_dim; ++d) {
    Sum sum;
    double magnitude = 0;
    for (std::size_t j = 0; j < s.keys; ++j) {
      sum.add({weights[j] / total, 0}, v[j * v_stride + d]);
      magnitude += weights[j] / total * std::abs(v[j * v_stride + d].value);
    }
    out.push_back({sum.result().value,
                   sum.result().error + (std::expm1(2 * delta) + static_cast<double>(s.keys) * u) * magnitude});
  }
  return out;
}

/// q [B, Sq, H, D], k and v [B, Sk, Hkv, …] → [B, Sq, H · Dv]
Numbers attend(const Sizes& s, const Numbers& q, const Numbers& k, const Numbers& v) {
  const std::size_t kv_heads = s.heads / s.group;
  Numbers out;
  for (std::size_t b = 0; b < s.batch; ++b)
    for (std::size_t i = 0; i < s.queries; ++i)
      for (std::size_t h = 0; h < s.heads; ++h) {
        const std::size_t kv_row = b * s.keys * kv_heads + h / s.group;
        const Numbers row =
            attend_row(s, q.data() + ((b * s.queries + i) * s.heads + h) * s.head_dim, k.data() + kv_row * s.head_dim,
                       kv_heads * s.head_dim, v.data() + kv_row * s.value_dim, kv_heads * s.value_dim);
        out.insert(out.end(), row.begin(), row.end());
      }
  return out;
}

struct Case {
  std::string name;
  std::int64_t batch, queries, keys;  // keys 0: self-attention
  MultiHeadAttentionConfig config;
};

class LayerTest : public testing::TestWithParam<Case> {};

TEST_P(LayerTest, EqualsTheLayerInDouble) {
  const auto& [name, batch, queries, given_keys, config] = GetParam();
  const bool self = given_keys == 0;
  const std::int64_t keys = self ? queries : given_keys;
  const std::int64_t kv_heads = config.kv_heads != 0 ? config.kv_heads : config.heads;
  const std::int64_t head_dim = config.head_dim != 0 ? config.head_dim : config.model_dim / config.heads;
  const std::int64_t value_dim = config.value_dim != 0 ? config.value_dim : head_dim;
  const std::int64_t context_dim = config.context_dim != 0 ? config.context_dim : config.model_dim;

  const Linear q = random_map(config.model_dim, config.heads * head_dim, 1, config.bias);
  const Linear k = random_map(context_dim, kv_heads * head_dim, 2, config.bias);
  const Linear v = random_map(context_dim, kv_heads * value_dim, 3, config.bias);
  std::optional<Linear> o;
  if (config.output_projection) o = random_map(config.heads * value_dim, config.model_dim, 4, config.bias);
  const MultiHeadAttention layer(config, q, k, v, o);

  const std::vector<float> x = random_values(batch * queries * config.model_dim, 5);
  const std::vector<float> context = self ? x : random_values(batch * keys * context_dim, 6);
  const std::int64_t out_dim = o ? config.model_dim : config.heads * value_dim;
  std::vector<float> out(static_cast<std::size_t>(batch * queries * out_dim));
  const auto x_view = view(x.data(), contiguous({batch, queries, config.model_dim}));
  const auto context_view = view(context.data(), contiguous({batch, keys, context_dim}));
  const auto out_view = view(out.data(), contiguous({batch, queries, out_dim}));
  if (self)
    layer.forward(x_view, out_view);
  else
    layer.forward(x_view, context_view, out_view);

  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const Sizes sizes{size(batch),    size(queries),  size(keys), size(config.heads), size(config.heads / kv_heads),
                    size(head_dim), size(value_dim)};
  Numbers expected = attend(sizes, apply_map(q, exact(x)), apply_map(k, exact(context)), apply_map(v, exact(context)));
  if (o) expected = apply_map(*o, expected);
  ASSERT_EQ(out.size(), expected.size());
  for (std::size_t i = 0; i < out.size(); ++i)
    ASSERT_NEAR(out[i], expected[i].value, expected[i].error) << "element " << i;
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, LayerTest,
    testing::Values(Case{"self", 2, 13, 0, {.model_dim = 24, .heads = 3}},
                    Case{"one_token", 1, 1, 0, {.model_dim = 8, .heads = 2}},
                    Case{"no_bias", 1, 37, 0, {.model_dim = 16, .heads = 4, .bias = false}},
                    Case{"no_output", 2, 5, 0, {.model_dim = 12, .heads = 3, .output_projection = false}},
                    Case{"cross", 3, 7, 11, {.model_dim = 20, .heads = 5, .context_dim = 9}},
                    Case{"grouped", 1, 9, 0, {.model_dim = 24, .heads = 6, .kv_heads = 2}},
                    Case{"own_dims", 1, 33, 4, {.model_dim = 10, .heads = 3, .head_dim = 7, .value_dim = 5}},
                    Case{"wide", 1, 3, 0, {.model_dim = 40, .heads = 2, .head_dim = 300}}),
    [](const auto& shape) { return shape.param.name; });

TEST(Layer, AProjectionIsTheSameOnAnyNumberOfThreads) {
  const auto layer = MultiHeadAttention::random({.model_dim = 70, .heads = 10, .head_dim = 130}, 3);
  const std::vector<float> x = random_values(2 * 45 * 70, 1);
  const auto x_view = view(x.data(), contiguous({2, 45, 70}));
  std::vector<float> one(2 * 45 * 1300), other(one.size());
  attune::InlineExecutor alone;
  layer.project_query(x_view, view(one.data(), attune::bhsd(2, 10, 45, 130)), attune::default_engine(), &alone);
  layer.project_query(x_view, view(other.data(), attune::bhsd(2, 10, 45, 130)));
  EXPECT_EQ(one, other);
}

TEST(Layer, HandsOutWeightsAndLse) {
  const auto layer = MultiHeadAttention::random({.model_dim = 16, .heads = 2}, 11);
  const std::vector<float> x = random_values(6 * 16, 2);
  std::vector<float> out(6 * 16), weights(2 * 6 * 6), lse(2 * 6);
  attune::AttentionOptions options{.causal = true};
  options.weights = view(weights.data(), attune::bhsd(1, 2, 6, 6));
  options.lse = view(lse.data(), contiguous({1, 2, 6}));
  layer.forward(view(x.data(), contiguous({1, 6, 16})), view(out.data(), contiguous({1, 6, 16})), options);
  for (std::size_t row = 0; row < 12; ++row) {
    double sum = 0;
    for (std::size_t key = 0; key < 6; ++key) {
      sum += static_cast<double>(weights[row * 6 + key]);
      if (key > row % 6) {
        EXPECT_EQ(weights[row * 6 + key], 0.0f);
      }
    }
    EXPECT_NEAR(sum, 1.0, 8 * 0x1p-24);
    EXPECT_TRUE(std::isfinite(lse[row]));
  }
}

TEST(Linear, XavierIsUniformWithinItsBoundAndTheSameEverywhere) {
  const Linear map = Linear::xavier(30, 20, 42);
  const double bound = std::sqrt(6.0 / 50.0);
  double sum = 0;
  for (const float w : map.weight) {
    EXPECT_LE(std::abs(static_cast<double>(w)), bound);
    sum += static_cast<double>(w);
  }
  // The mean of 600 draws from U(−a, a) has standard deviation a/√(3·600); five of them fail once in 10⁶ seeds.
  EXPECT_LT(std::abs(sum / 600), 5 * bound / std::sqrt(1800.0));
  EXPECT_EQ(map.bias, std::vector<float>(20, 0.0f));
  EXPECT_EQ(Linear::xavier(30, 20, 42).weight, map.weight);
  EXPECT_NE(Linear::xavier(30, 20, 43).weight, map.weight);
  // std::mt19937_64(42) begins with 13930160852258120406 (as the standard fixes): its upper 53 bits over 2⁵³.
  const double first = static_cast<double>(13930160852258120406ull >> 11) * 0x1p-53;
  EXPECT_EQ(map.weight[0], static_cast<float>(bound * (2 * first - 1)));
}

/// The refusal must name what is wrong.
void expect_refused(const std::string& named, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << named << " was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
  }
}

TEST(Layer, RefusesConfigurationsAndMapsThatDoNotFit) {
  const Linear map = random_map(8, 8, 1);
  const MultiHeadAttentionConfig good{.model_dim = 8, .heads = 2};
  expect_refused("model_dim", [&] { MultiHeadAttention({.model_dim = 0, .heads = 1}, map, map, map, map); });
  expect_refused("heads", [&] { MultiHeadAttention({.model_dim = 8, .heads = 0}, map, map, map, map); });
  expect_refused("heads", [&] { MultiHeadAttention({.model_dim = 8, .heads = 3}, map, map, map, map); });
  expect_refused("kv_heads",
                 [&] { MultiHeadAttention({.model_dim = 8, .heads = 4, .kv_heads = 3}, map, map, map, map); });
  expect_refused("head_dim",
                 [&] { MultiHeadAttention({.model_dim = 8, .heads = 2, .head_dim = -4}, map, map, map, map); });
  expect_refused("query map", [&] { MultiHeadAttention(good, random_map(8, 6, 1), map, map, map); });
  expect_refused("key map", [&] { MultiHeadAttention(good, map, random_map(7, 8, 1), map, map); });
  expect_refused("value map", [&] { MultiHeadAttention(good, map, map, Linear{8, 8, {}, {}}, map); });
  expect_refused("output map", [&] { MultiHeadAttention(good, map, map, map, Linear{8, 8, map.weight, {1.0f}}); });
  expect_refused("in_features", [] { Linear::xavier(0, 4, 1); });
  expect_refused("out_features", [] { Linear::xavier(4, -1, 1); });
}

TEST(Layer, RefusesTensorsThatDoNotFitAndWritesNothing) {
  const auto layer = MultiHeadAttention::random({.model_dim = 8, .heads = 2}, 1);
  const std::vector<float> x = random_values(2 * 3 * 8, 1);
  std::vector<float> out(x.size(), 7.0f);
  const auto good = view(x.data(), contiguous({2, 3, 8}));
  const auto out_view = view(out.data(), contiguous({2, 3, 8}));
  const auto refuse = [&](const char* named, const attune::TensorView& input, const attune::MutableTensorView& output) {
    expect_refused(named, [&] { layer.forward(input, output); });
  };
  refuse("x", view(x.data(), contiguous({6, 8})), out_view);
  refuse("x", view(x.data(), contiguous({2, 4, 6})), out_view);
  refuse("x", view(static_cast<const float*>(nullptr), contiguous({2, 3, 8})), out_view);
  auto strided = good;
  strided.strides[1] = 16;
  refuse("x", strided, out_view);
  auto doubles = good;
  doubles.dtype = attune::DType::f64;
  refuse("x", doubles, out_view);
  refuse("out", good, view(out.data(), contiguous({3, 2, 8})));
  refuse("out", good, view(out.data(), contiguous({2, 3, 4})));
  refuse("out", good, view(const_cast<float*>(x.data()), contiguous({2, 3, 8})));
  expect_refused("context", [&] { layer.forward(good, view(x.data(), contiguous({3, 2, 8})), out_view); });
  expect_refused("query", [&] { layer.project_query(good, view(out.data(), attune::bhsd(2, 4, 3, 2))); });
  const auto cross = MultiHeadAttention::random({.model_dim = 8, .heads = 2, .context_dim = 4}, 1);
  expect_refused("context", [&] { cross.forward(good, out_view); });
  EXPECT_EQ(out, std::vector<float>(out.size(), 7.0f));
}

}  // namespace
