// The backend naive on cases that can be computed by hand.
//
// The trick of most: one head of head_dim 1, query 1, scale 1 and keys k[j] = ln(c[j]). Then the weights are c[j]
// divided by their sum over the attended keys, and lse is the logarithm of that sum.
#include <gtest/gtest.h>

#include <attune/engine.hpp>

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace attune {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// One head over keys of the given counts; value j is [j + 1, 10 · (j + 1)].
struct Counts {
  explicit Counts(const std::vector<float>& counts, std::int64_t query_rows = 1)
      : queries(query_rows), keys(static_cast<std::int64_t>(counts.size())) {
    for (const float count : counts) key.push_back(std::log(count));
    for (std::int64_t j = 1; j <= keys; ++j) {
      value.push_back(static_cast<float>(j));
      value.push_back(static_cast<float>(10 * j));
    }
    query.assign(static_cast<std::size_t>(queries), 1.0f);
    out.assign(static_cast<std::size_t>(queries * 2), -1.0f);
    lse.assign(static_cast<std::size_t>(queries), -1.0f);
    weights.assign(static_cast<std::size_t>(queries * keys), -1.0f);
    options.backend = "naive";
    options.scale = 1;
    options.lse = view(lse.data(), contiguous({1, 1, queries}));
    options.weights = view(weights.data(), bhsd(1, 1, queries, keys));
  }
  Counts(const Counts&) = delete;
  Counts& operator=(const Counts&) = delete;

  void run() {
    default_engine().attention(
        {view(std::as_const(query).data(), bhsd(1, 1, queries, 1)),
         view(std::as_const(key).data(), bhsd(1, 1, keys, 1)), view(std::as_const(value).data(), bhsd(1, 1, keys, 2)),
         view(out.data(), bhsd(1, 1, queries, 2))},
        options);
  }

  /// Runs, and expects the row's weights to be these counts divided by their sum (and a sink's count).
  void expect_row(std::int64_t row, const std::vector<float>& expected, float sink_count = 0) {
    float sum = sink_count;
    float weighted = 0;
    for (std::size_t j = 0; j < expected.size(); ++j) {
      sum += expected[j];
      weighted += expected[j] * static_cast<float>(j + 1);
    }
    const auto first = static_cast<std::size_t>(row);
    for (std::size_t j = 0; j < expected.size(); ++j) {
      const float weight = weights[first * static_cast<std::size_t>(keys) + j];
      if (expected[j] == 0) {
        EXPECT_EQ(weight, 0) << "row " << row << " key " << j;
      } else {
        EXPECT_NEAR(weight, expected[j] / sum, tolerance) << "row " << row << " key " << j;
      }
    }
    EXPECT_NEAR(out[2 * first], weighted / sum, 10 * tolerance);
    EXPECT_NEAR(out[2 * first + 1], 10 * weighted / sum, 100 * tolerance);
    EXPECT_NEAR(lse[first], std::log(sum), 10 * tolerance);
  }

  void expect_empty(std::int64_t row) {
    const auto first = static_cast<std::size_t>(row);
    EXPECT_EQ(out[2 * first], 0);
    EXPECT_EQ(out[2 * first + 1], 0);
    EXPECT_EQ(lse[first], -infinity);
    for (std::int64_t j = 0; j < keys; ++j) EXPECT_EQ(weights[static_cast<std::size_t>(row * keys + j)], 0);
  }

  // Keys are logarithms rounded to f32: an ulp of a number below 8, twice over, and the rounding of the result.
  static constexpr float tolerance = 16 * FLT_EPSILON;

  std::int64_t queries, keys;
  std::vector<float> query, key, value, out, lse, weights;
  AttentionOptions options;
};

TEST(Naive, WeighsByTheExponentialOfTheScore) {
  Counts call({1, 3, 4});
  call.run();
  call.expect_row(0, {1, 3, 4});
}

TEST(Naive, DefaultScaleIsOneOverTheRootOfHeadDim) {
  // q · k = 4 · 1 · ln 9 / 2 over head_dim 4; divided by 2 that is ln 9.
  const std::vector<float> query{1, 1, 1, 1};
  const float half_ln = std::log(9.0f) / 2;
  const std::vector<float> key{half_ln, half_ln, half_ln, half_ln, 0, 0, 0, 0};
  const std::vector<float> value{10, 0};
  float out = -1;
  default_engine().attention({view(query.data(), bhsd(1, 1, 1, 4)), view(key.data(), bhsd(1, 1, 2, 4)),
                              view(value.data(), bhsd(1, 1, 2, 1)), view(&out, bhsd(1, 1, 1, 1))},
                             {.backend = "naive"});
  EXPECT_NEAR(out, 9, 100 * FLT_EPSILON);
}

TEST(Naive, ScaleMayBeNegative) {
  Counts call({1, 2, 4});
  call.options.scale = -1;
  call.run();
  call.expect_row(0, {1, 0.5f, 0.25f});
}

TEST(Naive, CausalStandsBottomRightByDefault) {
  Counts call({1, 2, 4, 8}, 2);
  call.options.causal = true;
  call.run();
  call.expect_row(0, {1, 2, 4, 0});
  call.expect_row(1, {1, 2, 4, 8});
}

TEST(Naive, CausalTopLeft) {
  Counts call({1, 2, 4, 8}, 2);
  call.options.causal = true;
  call.options.align = Align::top_left();
  call.run();
  call.expect_row(0, {1, 0, 0, 0});
  call.expect_row(1, {1, 2, 0, 0});
}

TEST(Naive, ANegativeOffsetLeavesEmptyRows) {
  Counts call({1, 2, 4}, 3);
  call.options.causal = true;
  call.options.align = Align::at(-2);
  call.run();
  call.expect_empty(0);
  call.expect_empty(1);
  call.expect_row(2, {1, 0, 0});
}

TEST(Naive, MoreQueriesThanKeysBottomRight) {
  Counts call({1, 2}, 3);
  call.options.causal = true;
  call.run();
  call.expect_empty(0);
  call.expect_row(1, {1, 0});
  call.expect_row(2, {1, 2});
}

TEST(Naive, WindowKeepsSoManyToEachSide) {
  Counts call({1, 2, 4, 8, 16}, 5);
  call.options.window_left = 2;
  call.options.window_right = 1;
  call.run();
  call.expect_row(0, {1, 2, 0, 0, 0});
  call.expect_row(2, {1, 2, 4, 8, 0});
  call.expect_row(4, {0, 0, 4, 8, 16});
}

TEST(Naive, SoftcapComesBeforeTheMaskAndAfterTheScale) {
  Counts call({3, 3, 3});
  const std::vector<float> mask{0, std::log(2.0f), 0};
  call.options.attn_mask = view(mask.data(), contiguous({3}));
  call.options.scale = 1000;  // scores of 1000 · ln 3, capped to 2 each; the bias is not capped
  call.options.softcap = 2;
  call.run();
  const float capped = std::exp(2.0f);
  call.expect_row(0, {capped, 2 * capped, capped});
}

TEST(Naive, SoftcapIsTanh) {
  Counts call({2, 1});
  call.options.softcap = 0.5;
  call.run();
  call.expect_row(0, {std::exp(0.5f * std::tanh(std::log(2.0f) / 0.5f)), 1});
}

TEST(Naive, ABoolMaskTakesKeysAwayWhateverTheyHold) {
  Counts call({1, 2, 4});
  const bool mask[]{true, false, true};
  call.key[1] = not_a_number;
  call.value[2] = not_a_number;
  call.value[3] = infinity;
  call.options.attn_mask = view(&mask[0], contiguous({3}));
  call.run();
  call.expect_row(0, {1, 0, 4});
}

TEST(Naive, AMaskOfMinusInfinityLeavesTheValueUntouched) {
  Counts call({1, 2, 4});
  const std::vector<float> mask{0, -infinity, std::log(3.0f)};
  call.value[2] = not_a_number;
  call.options.attn_mask = view(mask.data(), contiguous({3}));
  call.run();
  call.expect_row(0, {1, 0, 12});
}

TEST(Naive, ARowWithoutAScoreAboveMinusInfinityIsEmpty) {
  Counts call({1, 2}, 2);
  const std::vector<float> mask{-infinity, -infinity, 0, 0};
  call.options.attn_mask = view(mask.data(), contiguous({2, 2}));
  call.run();
  call.expect_empty(0);
  call.expect_row(1, {1, 2});
}

TEST(Naive, FiniteMasksStayFinite) {
  Counts call({1, 1, 1});
  const std::vector<float> mask(3, -FLT_MAX);
  call.options.attn_mask = view(mask.data(), contiguous({3}));
  call.run();
  EXPECT_FLOAT_EQ(call.out[0], 2);
  EXPECT_FLOAT_EQ(call.weights[1], 1.0f / 3);
}

TEST(Naive, ARowThatAttendsNaNOrInfinityIsNaNAndNoOther) {
  for (const float poison : {not_a_number, infinity}) {
    Counts call({1, 2, 4}, 3);
    call.key[1] = poison;
    call.options.causal = true;
    call.run();
    call.expect_row(0, {1, 0, 0});
    for (const std::size_t row : {std::size_t{1}, std::size_t{2}}) {
      EXPECT_TRUE(std::isnan(call.out[2 * row]) && std::isnan(call.out[2 * row + 1]) && std::isnan(call.lse[row]));
      EXPECT_TRUE(std::isnan(call.weights[3 * row]) && std::isnan(call.weights[3 * row + 1]));
    }
    EXPECT_EQ(call.weights[3 + 2], 0);  // masked in a row of NaN
  }
}

TEST(Naive, AlibiCountsFromTheQuerysPosition) {
  Counts call({1, 1, 1, 1}, 2);
  const std::vector<float> slopes{std::log(2.0f)};
  call.options.alibi_slopes = view(slopes.data(), contiguous({1}));
  call.run();  // positions 2 and 3
  call.expect_row(0, {0.25f, 0.5f, 1, 0.5f});
  call.expect_row(1, {0.125f, 0.25f, 0.5f, 1});
}

TEST(Naive, ASinkTakesItsShareAndHasNoValue) {
  Counts call({1, 3});
  const std::vector<float> sinks{std::log(4.0f)};
  call.options.sinks = view(sinks.data(), contiguous({1}));
  call.run();
  call.expect_row(0, {1, 3}, 4);
}

TEST(Naive, ASinkIsNeitherScaledNorCapped) {
  Counts call({1, 1});
  const std::vector<float> sinks{5};
  call.options.sinks = view(sinks.data(), contiguous({1}));
  call.options.scale = 0;
  call.options.softcap = 1;
  call.run();
  call.expect_row(0, {1, 1}, std::exp(5.0f));
}

TEST(Naive, ARowWithASinkAndNoKeyIsZeroWithTheSinkAsLse) {
  Counts call({1, 2});
  const std::vector<float> sinks{0.75f};
  call.options.sinks = view(sinks.data(), contiguous({1}));
  call.options.causal = true;
  call.options.align = Align::at(-5);
  call.run();
  EXPECT_EQ(call.out, (std::vector<float>{0, 0}));
  EXPECT_EQ(call.lse[0], 0.75f);
  EXPECT_EQ(call.weights, (std::vector<float>{0, 0}));
}

TEST(Naive, NoKeysMakeEmptyRows) {
  Counts call({}, 2);
  call.run();
  call.expect_empty(0);
  call.expect_empty(1);
}

TEST(Naive, KeyLengthsLeaveThePaddingOutAndMoveTheAlignment) {
  Counts call({1, 2, 4, 8}, 2);
  const std::vector<std::int32_t> lengths{3};
  call.key[3] = call.value[6] = call.value[7] = not_a_number;
  call.options.key_lengths = view(lengths.data(), contiguous({1}));
  call.options.causal = true;
  call.run();  // the last query stands at key 2
  call.expect_row(0, {1, 2, 0, 0});
  call.expect_row(1, {1, 2, 4, 0});
}

TEST(Naive, OffsetsAreEachMembersOwn) {
  const std::vector<float> query{1, 1};
  const std::vector<float> key(6, 0);
  const std::vector<float> value{1, 2, 3, 1, 2, 3};
  const std::vector<std::int64_t> offsets{0, 1};
  std::vector<float> out(2);
  AttentionOptions options;
  options.backend = "naive";
  options.causal = true;
  options.align = Align::per_batch(view(offsets.data(), contiguous({2})));
  default_engine().attention({view(query.data(), bhsd(2, 1, 1, 1)), view(key.data(), bhsd(2, 1, 3, 1)),
                              view(value.data(), bhsd(2, 1, 3, 1)), view(out.data(), bhsd(2, 1, 1, 1))},
                             options);
  EXPECT_EQ(out, (std::vector<float>{1, 1.5f}));
}

TEST(Naive, QueryHeadsShareKeyHeadsInOrder) {
  const std::vector<float> query(4, 1);
  const std::vector<float> key{0, 0};
  const std::vector<float> value{5, 7};  // one key, two key/value heads
  std::vector<float> out(4);
  default_engine().attention({view(query.data(), bhsd(1, 4, 1, 1)), view(key.data(), bhsd(1, 2, 1, 1)),
                              view(value.data(), bhsd(1, 2, 1, 1)), view(out.data(), bhsd(1, 4, 1, 1))},
                             {.backend = "naive"});
  EXPECT_EQ(out, (std::vector<float>{5, 5, 7, 7}));
}

TEST(Naive, PackedMembersSeeOnlyThemselves) {
  // Members of 1 and 3 queries over 2 and 2 keys; positions count within a member.
  const std::vector<float> query(4, 1);
  const std::vector<float> key{std::log(1.0f), std::log(3.0f), std::log(2.0f), std::log(6.0f)};
  const std::vector<float> value{4, 8, 100, 200};
  const std::vector<std::int64_t> cu_q{0, 1, 4};
  const std::vector<std::int64_t> cu_k{0, 2, 4};
  std::vector<float> out(4, -1);
  std::vector<float> lse(4, -1);
  AttentionOptions options;
  options.backend = "naive";
  options.scale = 1;
  options.causal = true;
  options.cu_seqlens_q = view(cu_q.data(), contiguous({3}));
  options.cu_seqlens_k = view(cu_k.data(), contiguous({3}));
  options.lse = view(lse.data(), contiguous({1, 4}));
  default_engine().attention({view(query.data(), packed(4, 1, 1)), view(key.data(), packed(4, 1, 1)),
                              view(value.data(), packed(4, 1, 1)), view(out.data(), packed(4, 1, 1))},
                             options);
  EXPECT_NEAR(out[0], 7, 100 * FLT_EPSILON);
  EXPECT_EQ(out[1], 0);  // three queries, two keys, bottom right: the first sees nothing
  EXPECT_EQ(lse[1], -infinity);
  EXPECT_EQ(out[2], 100);
  EXPECT_NEAR(out[3], 175, 1000 * FLT_EPSILON);
  EXPECT_NEAR(lse[0], std::log(4.0f), 10 * FLT_EPSILON);
  EXPECT_NEAR(lse[3], std::log(8.0f), 10 * FLT_EPSILON);
}

TEST(Naive, SlopesSinksAndMasksAreEachHeadsOwn) {
  // Two members of two heads, one query, two keys of score 0; each of slope, sink and mask tells them apart.
  const std::vector<float> query(4, 1);
  const std::vector<float> key(8, 0);
  const std::vector<float> value{0, 1, 0, 1, 0, 1, 0, 1};
  const std::vector<float> slopes{std::log(2.0f), std::log(3.0f), std::log(4.0f), std::log(5.0f)};
  const std::vector<float> sinks{std::log(6.0f), std::log(7.0f)};
  const std::vector<float> mask{0, std::log(1.0f), 0, std::log(2.0f), 0, std::log(3.0f), 0, std::log(4.0f)};
  std::vector<float> out(4, -1);
  AttentionOptions options;
  options.backend = "naive";
  options.alibi_slopes = view(slopes.data(), contiguous({2, 2}));
  options.sinks = view(sinks.data(), contiguous({2}));
  options.attn_mask = view(mask.data(), contiguous({2, 2, 1, 2}));
  default_engine().attention({view(query.data(), bhsd(2, 2, 1, 1)), view(key.data(), bhsd(2, 2, 2, 1)),
                              view(value.data(), bhsd(2, 2, 2, 1)), view(out.data(), bhsd(2, 2, 1, 1))},
                             options);
  // The query stands at key 1, so key 0 weighs 1 / e^slope; key 1 weighs its mask; then the sink.
  EXPECT_NEAR(out[0], 1 / (1 / 2.0 + 1 + 6), 100 * FLT_EPSILON);
  EXPECT_NEAR(out[1], 2 / (1 / 3.0 + 2 + 7), 100 * FLT_EPSILON);
  EXPECT_NEAR(out[2], 3 / (1 / 4.0 + 3 + 6), 100 * FLT_EPSILON);
  EXPECT_NEAR(out[3], 4 / (1 / 5.0 + 4 + 7), 100 * FLT_EPSILON);
}

TEST(Naive, ARowOfNothingButNaNIsNotEmpty) {
  Counts call({1});
  call.key[0] = not_a_number;
  call.run();
  EXPECT_TRUE(std::isnan(call.out[0]) && std::isnan(call.lse[0]) && std::isnan(call.weights[0]));
}

TEST(Naive, TakesStridesOfEveryKind) {
  const std::vector<float> query{1};
  const std::vector<float> key{std::log(4.0f), std::log(2.0f), std::log(1.0f)};  // backwards
  const std::vector<float> value{1, -1, 2, -1, 3, -1};                           // every other
  std::vector<float> out(2, -1);
  TensorView backwards = view(key.data() + 2, bhsd(1, 1, 3, 1));
  backwards.strides[2] = -1;
  TensorView every_other = view(value.data(), bhsd(1, 1, 3, 1));
  every_other.strides[2] = 2;
  TensorView repeated = view(query.data(), bhsd(1, 1, 2, 1));
  repeated.strides[2] = 0;
  AttentionOptions options;
  options.backend = "naive";
  options.scale = 1;
  default_engine().attention({repeated, backwards, every_other, view(out.data(), bhsd(1, 1, 2, 1))}, options);
  EXPECT_NEAR(out[0], (1 + 4 + 12) / 7.0, 100 * FLT_EPSILON);
  EXPECT_EQ(out[0], out[1]);
}

template <typename T, typename Convert>
void expect_half_the_sum(Convert convert, double first, double second) {
  const std::vector<T> ones{convert(1.0)};
  const std::vector<T> keys(2, convert(0.5));
  const std::vector<T> values{convert(first), convert(second)};
  std::vector<T> same(1);
  std::vector<float> wide(1);
  const auto run = [&](const MutableTensorView& out) {
    default_engine().attention({view(ones.data(), bhsd(1, 1, 1, 1)), view(keys.data(), bhsd(1, 1, 2, 1)),
                                view(values.data(), bhsd(1, 1, 2, 1)), out},
                               {.backend = "naive"});
  };
  run(view(same.data(), bhsd(1, 1, 1, 1)));
  run(view(wide.data(), bhsd(1, 1, 1, 1)));
  EXPECT_EQ(wide[0], static_cast<float>((first + second) / 2));
  if constexpr (std::is_floating_point_v<T>) {
    EXPECT_EQ(same[0], static_cast<T>((first + second) / 2));
  } else {
    EXPECT_EQ(same[0].bits, convert((first + second) / 2).bits);
  }
}

TEST(Naive, TakesEveryElementType) {
  expect_half_the_sum<float>([](double x) { return static_cast<float>(x); }, 1, 2);
  expect_half_the_sum<double>([](double x) { return x; }, 1, 1 + 0x1p-50);
  expect_half_the_sum<float16>([](double x) { return to_float16(x); }, 1, 1 + 0x1p-10);  // rounds: a tie to even
  expect_half_the_sum<bfloat16>([](double x) { return to_bfloat16(x); }, 1, 1 + 0x1p-7);
}

}  // namespace
}  // namespace attune
