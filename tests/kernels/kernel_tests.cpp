// Each kernel of each instruction set against plain loops in double.
//
// How to add a test: write a TEST_P of KernelTest; it runs for every table, and skips visibly where this CPU cannot.
// Tolerances: a sum of n products of magnitude at most 1 carries at most n roundings of 2⁻²⁴ of a partial sum that is
// at most n, so n² · 2⁻²⁴ is certain and the inputs' scale keeps it meaningful.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <attune/dtype.hpp>

#include "backends/kernels/instruction_sets.hpp"

namespace {

using attune::kernels::InstructionSet;
using attune::kernels::Kernels;
using attune::kernels::SoftmaxStep;
using attune::kernels::Start;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Floats aligned as tiles must be.
class Tile {
 public:
  explicit Tile(std::int64_t floats, float value = 0.0f)
      : data_(static_cast<float*>(std::aligned_alloc(64, (static_cast<std::size_t>(floats) * 4 + 63) / 64 * 64))) {
    std::fill_n(data_, floats, value);
  }
  ~Tile() { std::free(data_); }
  Tile(const Tile&) = delete;
  Tile& operator=(const Tile&) = delete;
  operator float*() const { return data_; }

 private:
  float* data_;
};

class KernelTest : public testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (!GetParam().runnable()) GTEST_SKIP() << "this CPU cannot run " << kernels().name;
  }
  const Kernels& kernels() const { return *GetParam().kernels; }
  float random() { return uniform_(bits_); }
  std::vector<float> random_row(std::int64_t count) {
    std::vector<float> row(static_cast<std::size_t>(count));
    for (float& x : row) x = random();
    return row;
  }
  void fill(float* p, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) p[i] = random();
  }
  /// Key counts around every tail.
  std::vector<std::int64_t> counts() const {
    std::vector<std::int64_t> result;
    for (std::int64_t n = 1; n <= 2 * kernels().key_rows + 1; ++n) result.push_back(n);
    return result;
  }
  template <typename Sum, typename Softmax, typename Both>
  void expect_same_beside(std::int64_t dim, float scale, Sum sum, Softmax softmax, Both both);

 private:
  std::mt19937 bits_{7};
  std::uniform_real_distribution<float> uniform_{-1.0f, 1.0f};
};

TEST_P(KernelTest, LoadRowsTransposesScalesAndZeroesTheRestOfAVector) {
  const int lanes = kernels().lanes;
  for (int count = 0; count <= lanes; ++count)
    for (const std::int64_t dim : {1, 5, 16, 19, 64}) {
      std::vector<std::vector<float>> rows;
      std::vector<const float*> pointers;
      for (int lane = 0; lane < count; ++lane) rows.push_back(random_row(dim));
      for (const auto& row : rows) pointers.push_back(row.data());
      Tile tile(dim * lanes, not_a_number);
      kernels().load_rows(pointers.data(), count, dim, 0.5f, tile);
      const int in_use = (count + lanes / 2 - 1) / (lanes / 2) * (lanes / 2);
      for (std::int64_t d = 0; d < dim; ++d) {
        for (int lane = 0; lane < in_use; ++lane)
          ASSERT_EQ(tile[d * lanes + lane], lane < count ? 0.5f * pointers[static_cast<std::size_t>(lane)][d] : 0.0f);
        for (int lane = in_use; lane < lanes; ++lane) ASSERT_TRUE(std::isnan(tile[d * lanes + lane]));
      }
    }
}

TEST_P(KernelTest, StoreRowsWritesItsRowsAndNothingElse) {
  const int lanes = kernels().lanes;
  for (const std::int64_t dim : {1, 7, 16, 37}) {
    Tile tile(dim * lanes);
    fill(tile, dim * lanes);
    Tile factor(lanes);
    fill(factor, lanes);
    for (int count = 1; count <= lanes; ++count) {
      std::vector<float> out(static_cast<std::size_t>(lanes * (dim + 1)), 42.0f);
      std::vector<float*> rows;
      for (int lane = 0; lane < lanes; ++lane) rows.push_back(out.data() + lane * (dim + 1));
      kernels().store_rows(tile, dim, factor, rows.data(), count);
      for (int lane = 0; lane < lanes; ++lane)
        for (std::int64_t d = 0; d <= dim; ++d) {
          const bool written = lane < count && d < dim;
          ASSERT_EQ(rows[static_cast<std::size_t>(lane)][d], written ? tile[d * lanes + lane] * factor[lane] : 42.0f);
        }
    }
  }
}

TEST_P(KernelTest, ScoresAreDotProductsAndRowMaxTheirLargest) {
  const int lanes = kernels().lanes;
  for (const std::int64_t dim : {1, 2, 31, 64})
    for (const std::int64_t count : counts())
      for (const int vectors : {1, 2}) {
        const std::int64_t stride = dim + 3;
        Tile queries(dim * lanes);
        fill(queries, dim * lanes);
        const std::vector<float> keys = random_row((count - 1) * stride + dim);
        Tile scores(count * lanes);
        Tile row_max(lanes);
        kernels().scores(queries, dim, keys.data(), stride, count, vectors, {}, scores, row_max);
        for (int lane = 0; lane < vectors * lanes / 2; ++lane) {
          float largest = -infinity;
          for (std::int64_t key = 0; key < count; ++key) {
            double expected = 0;
            for (std::int64_t d = 0; d < dim; ++d)
              expected += static_cast<double>(queries[d * lanes + lane]) *
                          static_cast<double>(keys[static_cast<std::size_t>(key * stride + d)]);
            const double tolerance = static_cast<double>(dim * dim) * 0x1p-24;
            ASSERT_NEAR(scores[key * lanes + lane], expected, tolerance);
            largest = std::max(largest, scores[key * lanes + lane]);
          }
          ASSERT_EQ(row_max[lane], largest);
        }
      }
}

TEST_P(KernelTest, ScoresDoNotDependOnTheTileTheyFallInto) {
  const int lanes = kernels().lanes;
  const std::int64_t dim = 19, count = 3 * kernels().key_rows;
  Tile queries(dim * lanes);
  fill(queries, dim * lanes);
  const std::vector<float> keys = random_row(count * dim);
  Tile whole(count * lanes), row_max(lanes), single(lanes);
  kernels().scores(queries, dim, keys.data(), dim, count, 2, {}, whole, row_max);
  for (std::int64_t key = 0; key < count; ++key)
    for (const int vectors : {1, 2}) {
      kernels().scores(queries, dim, keys.data() + key * dim, dim, 1, vectors, {}, single, row_max);
      ASSERT_EQ(std::memcmp(static_cast<float*>(single), whole + key * lanes,
                            static_cast<std::size_t>(vectors * lanes / 2) * sizeof(float)),
                0);
    }
}

TEST_P(KernelTest, TheLowerVectorTakesNoMoreKeysThanItIsTold) {
  const int lanes = kernels().lanes, step = kernels().key_rows;
  const std::int64_t dim = 19, count = 3 * step + 2;
  Tile queries(dim * lanes);
  fill(queries, dim * lanes);
  const std::vector<float> keys = random_row(count * dim);
  Tile whole(count * lanes), scores(count * lanes), row_max(lanes);
  kernels().scores(queries, dim, keys.data(), dim, count, 2, {}, whole, row_max);
  for (const std::int64_t lower_keys : {std::int64_t{0}, std::int64_t{step}, std::int64_t{3 * step}, count}) {
    std::fill_n(static_cast<float*>(scores), count * lanes, 42.0f);
    kernels().scores(queries, dim, keys.data(), dim, count, {2, lower_keys}, {}, scores, row_max);
    for (int lane = 0; lane < lanes; ++lane) {
      float largest = -infinity;
      for (std::int64_t key = 0; key < count; ++key) {
        const bool taken = lane >= lanes / 2 || key < lower_keys;
        ASSERT_EQ(scores[key * lanes + lane], taken ? whole[key * lanes + lane] : 42.0f) << lower_keys;
        if (taken) largest = std::max(largest, scores[key * lanes + lane]);
      }
      ASSERT_EQ(row_max[lane], largest);
    }
  }
}

TEST_P(KernelTest, MaskKeepsEachLanesRange) {
  const int lanes = kernels().lanes;
  const std::int64_t count = 11;
  Tile scores(count * lanes), begin(lanes), end(lanes), row_max(lanes);
  for (const int vectors : {1, 2}) {
    fill(scores, count * lanes);
    scores[0] = not_a_number;  // lane 0 does not attend key 0
    Tile before(count * lanes);
    std::copy_n(static_cast<float*>(scores), count * lanes, static_cast<float*>(before));
    for (int lane = 0; lane < lanes; ++lane) {
      begin[lane] = static_cast<float>(1 + lane % 4);
      end[lane] = static_cast<float>(lane % 5 == 4 ? 0 : count - lane % 3);
    }
    kernels().mask(scores, count, begin, end, vectors, row_max);
    for (int lane = 0; lane < vectors * lanes / 2; ++lane) {
      float largest = -infinity;
      for (std::int64_t key = 0; key < count; ++key) {
        const auto index = static_cast<float>(key);
        const bool kept = index >= begin[lane] && index < end[lane];
        ASSERT_EQ(scores[key * lanes + lane], kept ? before[key * lanes + lane] : -infinity);
        if (kept) largest = std::max(largest, before[key * lanes + lane]);
      }
      ASSERT_EQ(row_max[lane], largest);
    }
  }
}

/// The error of exp2(score − m): 2 ulp of its own, and the rounding of a difference x, which shifts the result by
/// ln 2 · |x| · 2⁻²⁴.
double exp2_error(double x) { return 2 * 0x1p-23 + 0.7 * std::abs(x) * 0x1p-24; }

TEST_P(KernelTest, SoftmaxStreamsToTheSameSumsAsOnePass) {
  const int lanes = kernels().lanes;
  for (const int vectors : {1, 2}) {
    const std::int64_t count = 29, blocks = 5;
    Tile m(lanes, -infinity), l(lanes), alpha(lanes), row_max(lanes);
    std::vector<double> exact_sum(static_cast<std::size_t>(lanes));
    std::vector<std::vector<float>> all(static_cast<std::size_t>(lanes));
    for (std::int64_t block = 0; block < blocks; ++block) {
      Tile scores(count * lanes);
      for (int lane = 0; lane < lanes; ++lane) {
        row_max[lane] = -infinity;
        for (std::int64_t key = 0; key < count; ++key) {
          const float score =
              20.0f * random() + (lane % 2 == 0 ? static_cast<float>(block) : -static_cast<float>(block));
          scores[key * lanes + lane] = score;
          row_max[lane] = std::max(row_max[lane], score);
          all[static_cast<std::size_t>(lane)].push_back(score);
        }
      }
      const bool grew = kernels().softmax(scores, count, vectors, false, false, row_max, m, l, alpha);
      bool expected = false;
      for (int lane = 0; lane < vectors * lanes / 2; ++lane) expected = expected || alpha[lane] != 1.0f;
      EXPECT_EQ(grew, expected);
      for (int lane = 0; lane < vectors * lanes / 2; ++lane)
        for (std::int64_t key = 0; key < count; ++key) {
          const double score = all[static_cast<std::size_t>(lane)][static_cast<std::size_t>(block * count + key)];
          const double x = score - static_cast<double>(m[lane]);
          ASSERT_NEAR(scores[key * lanes + lane], std::exp2(x), std::exp2(x) * exp2_error(x) + 0x1p-126);
        }
    }
    for (int lane = 0; lane < vectors * lanes / 2; ++lane) {
      const std::vector<float>& scores = all[static_cast<std::size_t>(lane)];
      ASSERT_EQ(m[lane], *std::max_element(scores.begin(), scores.end()));
      double sum = 0;
      for (const float score : scores) sum += std::exp2(static_cast<double>(score) - static_cast<double>(m[lane]));
      // Every term has been rescaled at most `blocks` times and added at most count · blocks times; scores span 50.
      const double error = blocks * exp2_error(50.0) + static_cast<double>(count * blocks) * 0x1p-24;
      ASSERT_NEAR(l[lane], sum, sum * error);
    }
  }
}

TEST_P(KernelTest, SoftmaxOfSpecialScores) {
  const int lanes = kernels().lanes;
  const float lowest = std::numeric_limits<float>::lowest();
  Tile scores(2 * lanes, -infinity), m(lanes, -infinity), l(lanes), alpha(lanes), row_max(lanes, -infinity);
  // Lane 0: nothing attended. 1: a NaN. 2: +inf. 3: both finite and far apart. 4: both the lowest finite number.
  scores[1] = not_a_number, scores[lanes + 1] = 1, row_max[1] = 1;
  scores[2] = infinity, scores[lanes + 2] = 1, row_max[2] = infinity;
  scores[3] = 0, scores[lanes + 3] = -500, row_max[3] = 0;
  scores[4] = scores[lanes + 4] = lowest, row_max[4] = lowest;
  kernels().softmax(scores, 2, 2, false, false, row_max, m, l, alpha);
  EXPECT_EQ(l[0], 0.0f);
  EXPECT_EQ(m[0], -infinity);
  EXPECT_EQ(scores[0], 0.0f);
  EXPECT_TRUE(std::isnan(l[1]));
  EXPECT_TRUE(std::isnan(l[2]));
  EXPECT_EQ(l[3], 1.0f);
  EXPECT_EQ(scores[lanes + 3], 0.0f);
  EXPECT_EQ(l[4], 2.0f);
}

TEST_P(KernelTest, CarefulSoftmaxMarksWhatIsNotAttended) {
  const int lanes = kernels().lanes;
  Tile scores(2 * lanes, 0.0f), m(lanes, -infinity), l(lanes), alpha(lanes), row_max(lanes, 0.0f);
  scores[0] = -infinity;
  scores[1] = -1000.0f;  // attended, its weight underflows
  kernels().softmax(scores, 2, 2, false, true, row_max, m, l, alpha);
  EXPECT_EQ(scores[0], 0.0f);
  EXPECT_TRUE(std::signbit(scores[0]));
  EXPECT_EQ(scores[1], 0.0f);
  EXPECT_FALSE(std::signbit(scores[1]));
  EXPECT_EQ(l[0], 1.0f);
}

TEST_P(KernelTest, Exp2IsAccurateOverItsRange) {
  const int lanes = kernels().lanes;
  Tile scores(lanes), m(lanes), l(lanes), alpha(lanes), row_max(lanes, -infinity);
  double worst = 0;
  for (float x = 0.0f; x > -126.0f; x -= 0.000731f * static_cast<float>(lanes)) {
    for (int lane = 0; lane < lanes; ++lane) {
      m[lane] = 0.0f, l[lane] = 0.0f;
      scores[lane] = x - 0.000731f * static_cast<float>(lane);
    }
    const std::vector<float> inputs(static_cast<float*>(scores), scores + lanes);
    kernels().softmax(scores, 1, 2, false, false, row_max, m, l, alpha);
    for (int lane = 0; lane < lanes; ++lane) {
      const double exact = std::exp2(static_cast<double>(inputs[static_cast<std::size_t>(lane)]));
      if (exact >= 0x1p-126) worst = std::max(worst, std::abs(static_cast<double>(scores[lane]) - exact) / exact);
    }
  }
  EXPECT_LT(worst, 2.0 * 0x1p-23);  // 2 ulp, as vector.hpp promises
  RecordProperty("worst_relative_error", std::to_string(worst));
}

TEST_P(KernelTest, WeightedSumAddsValuesAtEveryTail) {
  const int lanes = kernels().lanes;
  for (std::int64_t dim = 0; dim <= 2 * kernels().key_rows + 1; ++dim)
    for (const Start start : {Start::zero, Start::add, Start::rescale})
      for (const int vectors : {1, 2}) {
        const std::int64_t count = 13, stride = dim + 2;
        Tile weights(count * lanes), alpha(lanes), out(std::max<std::int64_t>(dim, 1) * lanes);
        fill(weights, count * lanes);
        fill(alpha, lanes);
        fill(out, dim * lanes);
        const std::vector<float> values = random_row(count * stride);
        const std::vector<float> before(static_cast<float*>(out), out + dim * lanes);
        kernels().weighted_sum(weights, count, values.data(), stride, dim, vectors, false, {}, start, alpha, out);
        for (std::int64_t column = 0; column < dim; ++column)
          for (int lane = 0; lane < vectors * lanes / 2; ++lane) {
            const double old = before[static_cast<std::size_t>(column * lanes + lane)];
            double expected = start == Start::zero  ? 0
                              : start == Start::add ? old
                                                    : old * static_cast<double>(alpha[lane]);
            for (std::int64_t key = 0; key < count; ++key)
              expected += static_cast<double>(weights[key * lanes + lane]) *
                          static_cast<double>(values[static_cast<std::size_t>(key * stride + column)]);
            ASSERT_NEAR(out[column * lanes + lane], expected, 14.0 * 14.0 * 0x1p-24);
          }
      }
}

TEST_P(KernelTest, CarefulWeightedSumIgnoresMarkedKeysAndKeepsTheBitsOfOthers) {
  const int lanes = kernels().lanes;
  const std::int64_t count = 9, dim = 11;
  for (const int vectors : {1, 2}) {
    Tile weights(count * lanes), fast(dim * lanes), careful(dim * lanes);
    fill(weights, count * lanes);
    std::vector<float> values = random_row(count * dim);
    for (int lane = 0; lane < lanes; lane += 2) weights[4 * lanes + lane] = -0.0f;
    kernels().weighted_sum(weights, count, values.data(), dim, dim, vectors, false, {}, Start::zero, nullptr, fast);
    kernels().weighted_sum(weights, count, values.data(), dim, dim, vectors, true, {}, Start::zero, nullptr, careful);
    for (std::int64_t i = 0; i < dim * lanes; ++i) ASSERT_EQ(fast[i], careful[i]);
    values[4 * dim + 3] = not_a_number;
    kernels().weighted_sum(weights, count, values.data(), dim, dim, vectors, true, {}, Start::zero, nullptr, careful);
    for (int lane = 0; lane < vectors * lanes / 2; ++lane) {
      if (lane % 2 == 0)
        ASSERT_EQ(careful[3 * lanes + lane], fast[3 * lanes + lane]);
      else
        ASSERT_TRUE(std::isnan(careful[3 * lanes + lane]));
    }
  }
}

TEST_P(KernelTest, WeightsThatTheLowerVectorIsToLeaveOutAreNotRead) {
  const int lanes = kernels().lanes;
  const std::int64_t dim = 2 * kernels().key_rows + 3, count = 3 * kernels().key_rows, lower_keys = kernels().key_rows;
  for (const bool careful : {false, true}) {
    Tile weights(count * lanes), whole(dim * lanes), part(dim * lanes);
    fill(weights, count * lanes);
    const std::vector<float> values = random_row(count * dim);
    const auto set_rest = [&](float weight) {
      for (std::int64_t key = lower_keys; key < count; ++key) std::fill_n(weights + key * lanes, lanes / 2, weight);
    };
    set_rest(0.0f);
    kernels().weighted_sum(weights, count, values.data(), dim, dim, 2, careful, {}, Start::zero, nullptr, whole);
    set_rest(not_a_number);
    kernels().weighted_sum(weights, count, values.data(), dim, dim, {2, lower_keys}, careful, {}, Start::zero, nullptr,
                           part);
    for (std::int64_t i = 0; i < dim * lanes; ++i) ASSERT_EQ(part[i], whole[i]);
  }
}

TEST_P(KernelTest, JoinAddsWhatLaterKeysHaveBrought) {
  const int lanes = kernels().lanes;
  const std::int64_t dim = 5;
  for (const bool natural : {false, true})
    for (const Start start : {Start::zero, Start::rescale})
      for (const int vectors : {1, 2}) {
        Tile out(dim * lanes), m(lanes), l(lanes), later_out(dim * lanes), later_m(lanes), later_l(lanes);
        for (float* values : {static_cast<float*>(m), static_cast<float*>(later_m)}) fill(values, lanes);
        for (float* values : {static_cast<float*>(l), static_cast<float*>(later_l)}) fill(values, lanes);
        fill(out, dim * lanes);
        fill(later_out, dim * lanes);
        m[0] = later_m[1] = m[2] = later_m[2] = -infinity;  // rows without a key before, later, at all
        l[0] = later_l[1] = l[2] = later_l[2] = 0.0f;
        for (std::int64_t d = 0; d < dim; ++d) {
          out[d * lanes] = out[d * lanes + 2] = later_out[d * lanes + 1] = later_out[d * lanes + 2] = 0.0f;
          if (start == Start::zero) std::fill_n(out + d * lanes, lanes, not_a_number);
        }
        const std::vector<float> old_out(static_cast<float*>(out), out + dim * lanes);
        const std::vector<float> old_m(static_cast<float*>(m), m + lanes), old_l(static_cast<float*>(l), l + lanes);
        kernels().join({later_out, later_m, later_l}, dim, vectors, natural, start, {out, m, l});
        for (int lane = 0; lane < vectors * lanes / 2; ++lane) {
          const auto at = static_cast<std::size_t>(lane);
          const float joint = std::max(old_m[at], later_m[lane]);
          const auto factor = [&](float maximum) {
            if (maximum == joint) return 1.0;
            const double difference = static_cast<double>(maximum) - static_cast<double>(joint);
            return natural ? std::exp(difference) : std::exp2(difference);
          };
          const double mine = factor(old_m[at]), theirs = factor(later_m[lane]);
          ASSERT_EQ(m[lane], joint);
          ASSERT_NEAR(l[lane], static_cast<double>(old_l[at]) * mine + static_cast<double>(later_l[lane]) * theirs,
                      8 * 0x1p-24);
          for (std::int64_t d = 0; d < dim; ++d) {
            const double kept = start == Start::zero
                                    ? 0
                                    : static_cast<double>(old_out[static_cast<std::size_t>(d * lanes + lane)]) * mine;
            ASSERT_NEAR(out[d * lanes + lane], kept + static_cast<double>(later_out[d * lanes + lane]) * theirs,
                        8 * 0x1p-24);
          }
        }
      }
}

TEST_P(KernelTest, AllFiniteSeesEveryLaneInUse) {
  const int lanes = kernels().lanes;
  const std::int64_t dim = 3;
  Tile tile(dim * lanes, 1.0f);
  EXPECT_TRUE(kernels().all_finite(tile, dim, 2));
  for (const float bad : {infinity, -infinity, not_a_number})
    for (std::int64_t i = 0; i < dim * lanes; ++i) {
      tile[i] = bad;
      EXPECT_FALSE(kernels().all_finite(tile, dim, 2));
      EXPECT_EQ(kernels().all_finite(tile, dim, 1), i % lanes >= lanes / 2);
      tile[i] = 1.0f;
    }
}

TEST_P(KernelTest, NaturalSoftmaxTakesTheLowestFiniteScores) {
  const int lanes = kernels().lanes;
  const float lowest = std::numeric_limits<float>::lowest();
  Tile scores(3 * lanes, lowest), m(lanes, -infinity), l(lanes), alpha(lanes), row_max(lanes, lowest);
  scores[0] = 1.0f, scores[lanes] = 0.0f, row_max[0] = 1.0f;
  kernels().softmax(scores, 3, 2, true, false, row_max, m, l, alpha);
  EXPECT_EQ(scores[0], 1.0f);
  EXPECT_NEAR(scores[lanes], std::exp(-1.0), std::exp(-1.0) * exp2_error(1.5));
  EXPECT_EQ(scores[2 * lanes], 0.0f);
  for (int lane = 1; lane < lanes; ++lane) EXPECT_EQ(l[lane], 3.0f) << "equal scores, however low, weigh the same";
}

/// One function of the options against a formula in double, for key counts around every tail.
template <typename Apply, typename Formula>
void check_scores(const Kernels& k, const std::vector<std::int64_t>& counts, const std::vector<float>& inputs,
                  Apply apply, Formula formula) {
  const int lanes = k.lanes;
  for (const std::int64_t count : counts)
    for (const int vectors : {1, 2}) {
      Tile scores(count * lanes), row_max(lanes);
      for (std::int64_t i = 0; i < count * lanes; ++i) scores[i] = inputs[static_cast<std::size_t>(i) % inputs.size()];
      const std::vector<float> before(static_cast<float*>(scores), scores + count * lanes);
      apply(scores, count, vectors, row_max);
      for (int lane = 0; lane < vectors * lanes / 2; ++lane) {
        float largest = -infinity;
        for (std::int64_t key = 0; key < count; ++key) {
          const std::int64_t at = key * lanes + lane;
          formula(before[static_cast<std::size_t>(at)], scores[at], key, lane);
          largest = std::max(largest, scores[at]);
        }
        ASSERT_EQ(row_max[lane], largest);
      }
    }
}

TEST_P(KernelTest, SoftcapIsScaledTanh) {
  const std::vector<float> inputs{0.0f, 1e-6f, -0.3f, 0.7f, 4.0f, -19.0f, 200.0f, infinity, -infinity, -1e30f, 3.0f};
  for (const float cap : {0.5f, 30.0f})
    check_scores(
        kernels(), counts(), inputs,
        [&](float* scores, std::int64_t count, int vectors, float* row_max) {
          kernels().softcap(scores, count, cap, vectors, row_max);
        },
        [&](float before, float after, std::int64_t, int) {
          const double exact =
              static_cast<double>(cap) * std::tanh(static_cast<double>(before) / static_cast<double>(cap));
          // tanh's absolute error: those of exp2 and of the quotient's three operations, all of values of at most 1.
          ASSERT_NEAR(after, exact, static_cast<double>(cap) * 12 * 0x1p-24) << before;
        });
  Tile scores(kernels().lanes, not_a_number), row_max(kernels().lanes);
  kernels().softcap(scores, 1, 2.0f, 2, row_max);
  for (int lane = 0; lane < kernels().lanes; ++lane) EXPECT_TRUE(std::isnan(scores[lane]));
}

TEST_P(KernelTest, BiasAndMarksAreReadInTheQueriesOrder) {
  const int lanes = kernels().lanes;
  std::vector<std::int64_t> lengths = counts();
  lengths.insert(lengths.end(), {31, 32, 33, 47});
  for (const bool shared : {false, true})
    for (const std::int64_t count : lengths)
      for (const int vectors : {1, 2}) {
        std::vector<std::vector<float>> biases, marks;
        std::vector<const float*> bias_rows, mark_rows;
        for (int lane = 0; lane < lanes; ++lane) {
          biases.push_back(random_row(count));
          marks.emplace_back(static_cast<std::size_t>(count));
          for (std::int64_t key = 0; key < count; ++key)
            marks.back()[static_cast<std::size_t>(key)] = random() < 0 ? 0.0f : -infinity;
        }
        for (int lane = 0; lane < lanes; ++lane) {
          bias_rows.push_back(biases[shared ? 0 : static_cast<std::size_t>(lane)].data());
          mark_rows.push_back(marks[shared ? 0 : static_cast<std::size_t>(lane)].data());
        }
        Tile scores(count * lanes), row_max(lanes);
        fill(scores, count * lanes);
        scores[0] = not_a_number;
        const std::vector<float> before(static_cast<float*>(scores), scores + count * lanes);
        kernels().add_bias(scores, count, bias_rows.data(), vectors, row_max);
        kernels().select_keys(scores, count, mark_rows.data(), vectors, row_max);
        for (int lane = 0; lane < vectors * lanes / 2; ++lane)
          for (std::int64_t key = 0; key < count; ++key) {
            const auto at = static_cast<std::size_t>(key * lanes + lane);
            const float sum = before[at] + bias_rows[static_cast<std::size_t>(lane)][key];
            if (mark_rows[static_cast<std::size_t>(lane)][key] == -infinity)
              ASSERT_EQ(scores[key * lanes + lane], -infinity);
            else if (std::isnan(sum))
              ASSERT_TRUE(std::isnan(scores[key * lanes + lane]));
            else
              ASSERT_EQ(scores[key * lanes + lane], sum);
          }
      }
}

TEST_P(KernelTest, AlibiFallsWithDistance) {
  const int lanes = kernels().lanes;
  Tile slopes(lanes), positions(lanes);
  for (int lane = 0; lane < lanes; ++lane) {
    slopes[lane] = 0.25f * static_cast<float>(lane % 3);
    positions[lane] = static_cast<float>(3 * lane - 20);
  }
  check_scores(
      kernels(), counts(), random_row(97),
      [&](float* scores, std::int64_t count, int vectors, float* row_max) {
        kernels().alibi(scores, count, slopes, positions, vectors, row_max);
      },
      [&](float before, float after, std::int64_t key, int lane) {
        const double bias = static_cast<double>(slopes[lane]) *
                            std::abs(static_cast<double>(positions[lane]) - static_cast<double>(key));
        ASSERT_NEAR(after, static_cast<double>(before) - bias, 2 * (1 + bias) * 0x1p-24);
      });
}

TEST_P(KernelTest, MarksTellWhatIsKept) {
  for (std::int64_t count = 0; count < 50; ++count) {
    std::vector<std::uint8_t> keep(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < keep.size(); ++i)
      keep[i] = i % 3 == 0 ? 0 : static_cast<std::uint8_t>(1 + 100 * (i % 2));
    std::vector<float> marks(keep.size() + 1, 5.0f);
    kernels().marks(keep.data(), count, marks.data());
    for (std::size_t i = 0; i < keep.size(); ++i) ASSERT_EQ(marks[i], keep[i] != 0 ? 0.0f : -infinity);
    ASSERT_EQ(marks.back(), 5.0f);
  }
}

TEST_P(KernelTest, NormalisersAreTheReciprocalsOfSumsAndZeroOfNone) {
  const int lanes = kernels().lanes;
  for (const int vectors : {1, 2}) {
    Tile l(lanes, 3.0f), factor(lanes, 5.0f);
    l[0] = 0.0f, l[1] = -0.0f, l[2] = infinity, l[3] = not_a_number;
    kernels().normalisers(l, vectors, factor);
    EXPECT_EQ(factor[0], 0.0f);
    EXPECT_EQ(factor[1], 0.0f);
    EXPECT_EQ(factor[2], 0.0f);
    EXPECT_TRUE(std::isnan(factor[3]));
    for (int lane = 4; lane < lanes; ++lane) EXPECT_EQ(factor[lane], lane < vectors * lanes / 2 ? 1.0f / 3.0f : 5.0f);
  }
}

TEST_P(KernelTest, NormaliseMakesMarksZeroWhateverTheFactor) {
  const int lanes = kernels().lanes;
  Tile weights(3 * lanes, 0.5f), factor(lanes, 0.25f);
  weights[0] = 0.0f, weights[lanes] = -0.0f, factor[0] = not_a_number;
  kernels().normalise(weights, 3, factor, 2);
  EXPECT_FALSE(std::signbit(weights[lanes]));
  EXPECT_TRUE(std::isnan(weights[0]));
  EXPECT_EQ(weights[lanes], 0.0f);
  EXPECT_TRUE(std::isnan(weights[2 * lanes]));
  EXPECT_EQ(weights[1], 0.125f);
}

TEST_P(KernelTest, SixteenBitFloatsWidenAndNarrowExactly) {
  for (const bool bf16 : {false, true}) {
    std::vector<std::uint16_t> all(1 << 16), back(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
    std::vector<float> wide(all.size());
    kernels().widen(all.data(), bf16, static_cast<std::int64_t>(all.size()), wide.data());
    kernels().narrow(wide.data(), bf16, static_cast<std::int64_t>(all.size()), back.data());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const float exact = bf16 ? to_float(attune::bfloat16{all[i]}) : to_float(attune::float16{all[i]});
      if (std::isnan(exact)) {
        ASSERT_TRUE(std::isnan(wide[i]));
        const float again = bf16 ? to_float(attune::bfloat16{back[i]}) : to_float(attune::float16{back[i]});
        ASSERT_TRUE(std::isnan(again));
      } else {
        ASSERT_EQ(wide[i], exact);
        ASSERT_EQ(back[i], all[i]);
      }
    }
  }
}

TEST_P(KernelTest, ConvertsRowsOfAnyLengthAndNothingBeyond) {
  const std::vector<float> special = {-0.0f, 1e-40f, 3.0e-5f, 65504.0f, infinity, -infinity, not_a_number, 1.00390625f};
  for (const bool bf16 : {false, true})
    for (std::int64_t count = 0; count <= 33; ++count) {
      const auto n = static_cast<std::size_t>(count);
      std::vector<float> numbers(n), wide(n + 1, 42.0f);
      for (std::size_t i = 0; i < n; ++i) numbers[i] = i % 3 == 0 ? special[i / 3 % special.size()] : random();
      std::vector<std::uint16_t> narrow(n + 1, std::uint16_t{42});
      kernels().narrow(numbers.data(), bf16, count, narrow.data());
      kernels().widen(narrow.data(), bf16, count, wide.data());
      for (std::size_t i = 0; i < n; ++i) {
        std::uint16_t expected = 0;
        kernels().narrow(&numbers[i], bf16, 1, &expected);
        ASSERT_EQ(narrow[i], expected) << count << " elements, " << i;
        float expected_wide = 0;
        kernels().widen(&expected, bf16, 1, &expected_wide);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(wide[i]), std::bit_cast<std::uint32_t>(expected_wide)) << i;
      }
      EXPECT_EQ(narrow.back(), 42);
      EXPECT_EQ(wide.back(), 42.0f);
    }
}

TEST_P(KernelTest, NarrowRoundsToNearestEven) {
  std::vector<float> values;
  for (const float magnitude : {1e-9f, 3e-8f, 2.5e-6f, 6.1e-5f, 0.3f, 1.0f, 1234.5f, 65519.0f, 65520.0f, 1e9f, 3.3e38f})
    for (int i = 0; i < 3000; ++i)
      values.push_back(magnitude * (1.0f + random() * 0.01f) * (i % 2 == 0 ? 1.0f : -1.0f));
  // Halfway between neighbours.
  for (std::uint32_t bits = 0x3f800000u; bits < 0x3f900000u; bits += 0x1000u)
    values.push_back(std::bit_cast<float>(bits));
  const auto count = static_cast<std::int64_t>(values.size());
  std::vector<std::uint16_t> narrow(values.size());
  for (const bool bf16 : {false, true}) {
    kernels().narrow(values.data(), bf16, count, narrow.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto x = static_cast<double>(values[i]);
      ASSERT_EQ(narrow[i], bf16 ? attune::to_bfloat16(x).bits : attune::to_float16(x).bits) << x;
    }
  }
}

/// The products of bf16 pairs, against the same numbers in double.
TEST_P(KernelTest, WeightedRowsAreTheBitsOfSumsThatAreStored) {
  const int lanes = kernels().lanes;
  for (const std::int64_t dim : {1, 5, 16, 33, 64, 72})
    for (const std::int64_t count : counts())
      for (const int used : {1, lanes / 2 - 1, lanes / 2, lanes - 3, lanes}) {
        const std::int64_t stride = dim + 3;
        std::vector<float> values(static_cast<std::size_t>(count * stride));
        for (float& value : values) value = random();
        Tile weights(count * lanes), sums(dim * lanes), factor(lanes);
        fill(weights, count * lanes);
        fill(factor, lanes);
        std::vector<float> expected(static_cast<std::size_t>(lanes * dim), -7.0f), got = expected;
        std::vector<float*> expected_rows, rows;
        for (int lane = 0; lane < lanes; ++lane) {
          expected_rows.push_back(expected.data() + lane * dim);
          rows.push_back(got.data() + lane * dim);
        }
        kernels().weighted_sum(weights, count, values.data(), stride, dim, 2, false, {}, Start::zero, nullptr, sums);
        EXPECT_TRUE(kernels().store_rows(sums, dim, factor, expected_rows.data(), used));
        EXPECT_TRUE(kernels().weighted_rows(weights, count, values.data(), stride, dim, factor, rows.data(), used));
        ASSERT_EQ(got, expected) << "dim " << dim << ", keys " << count << ", rows " << used;
        values.back() = not_a_number;
        values[static_cast<std::size_t>((count - 1) * stride + dim - 1)] = infinity;
        EXPECT_FALSE(kernels().weighted_rows(weights, count, values.data(), stride, dim, factor, rows.data(), used));
      }
}

/// sum(vectors, alpha, sums) and softmax(step) give the same as both(vectors, alpha, sums, step), bit by bit.
template <typename Sum, typename Softmax, typename Both>
void KernelTest::expect_same_beside(std::int64_t dim, float scale, Sum sum, Softmax softmax, Both both) {
  const int lanes = kernels().lanes;
  std::vector<std::int64_t> key_counts = counts();
  key_counts.push_back(303);
  for (const std::int64_t count : key_counts)
    for (const int vectors : {1, 2}) {
      Tile sums(dim * lanes), expected_sums(dim * lanes), alpha(lanes, 0.75f);
      Tile scores(count * lanes), expected_scores(count * lanes), row_max(lanes);
      Tile m(2 * lanes), l(2 * lanes), other_alpha(2 * lanes);  // each: as expected, and beside the values
      fill(sums, dim * lanes);
      fill(scores, count * lanes);
      std::copy_n(static_cast<float*>(sums), dim * lanes, static_cast<float*>(expected_sums));
      std::copy_n(static_cast<float*>(scores), count * lanes, static_cast<float*>(expected_scores));
      for (std::int64_t i = 0; i < count * lanes; ++i) row_max[i % lanes] = std::max(row_max[i % lanes], scores[i]);
      for (int i = 0; i < 2 * lanes; ++i) {
        const bool first_block = i % lanes % 3 == 0;
        m[i] = first_block ? -infinity : 0.01f * static_cast<float>(i % lanes);
        l[i] = first_block ? 0.0f : 2.0f;
      }
      sum(vectors, alpha, expected_sums);
      const bool grew = softmax({expected_scores, count, vectors, scale, row_max, m, l, other_alpha});
      EXPECT_EQ(both(vectors, alpha, sums,
                     {scores, count, vectors, scale, row_max, m + lanes, l + lanes, other_alpha + lanes}),
                grew);
      const auto expect_same = [&](const float* got, const float* expected, std::int64_t floats, const char* what) {
        ASSERT_EQ(std::memcmp(got, expected, static_cast<std::size_t>(floats) * sizeof(float)), 0)
            << what << ": dim " << dim << ", keys " << count << ", vectors " << vectors;
      };
      expect_same(sums, expected_sums, dim * lanes, "sums");
      expect_same(scores, expected_scores, count * lanes, "weights");
      expect_same(m + lanes, m, vectors * lanes / 2, "m");
      expect_same(l + lanes, l, vectors * lanes / 2, "l");
      expect_same(other_alpha + lanes, other_alpha, vectors * lanes / 2, "alpha");
    }
}

TEST_P(KernelTest, ASoftmaxBesideAnotherTilesValuesChangesNoBit) {
  if (kernels().weighted_sum_and_softmax == nullptr) GTEST_SKIP() << kernels().name << " has too few registers for it";
  for (const std::int64_t dim : {1, 8, 40, 131})
    for (const std::int64_t count : {5, 96, 256}) {
      Tile weights(count * kernels().lanes), values(count * dim);
      fill(weights, count * kernels().lanes);
      fill(values, count * dim);
      expect_same_beside(
          dim, 1.0f,
          [&](int vectors, const float* alpha, float* sums) {
            kernels().weighted_sum(weights, count, values, dim, dim, vectors, false, {}, Start::rescale, alpha, sums);
          },
          [&](const SoftmaxStep& step) {
            return kernels().softmax(step.scores, step.key_count, step.vectors, false, false, step.row_max, step.m,
                                     step.l, step.alpha);
          },
          [&](int vectors, const float* alpha, float* sums, const SoftmaxStep& step) {
            return kernels().weighted_sum_and_softmax(weights, count, values, dim, dim, vectors, Start::rescale, alpha,
                                                      sums, step);
          });
    }
}

class PairTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped() && kernels().pairs == nullptr) GTEST_SKIP() << kernels().name << " does not multiply bf16 pairs";
  }
  const attune::kernels::PairKernels& pairs() const { return *kernels().pairs; }
  std::vector<std::uint16_t> random_bf16(std::int64_t count) {
    std::vector<std::uint16_t> values(static_cast<std::size_t>(count));
    for (auto& x : values) x = attune::to_bfloat16(static_cast<double>(random())).bits;
    return values;
  }
  static double wide(std::uint16_t bits) { return static_cast<double>(to_float(attune::bfloat16{bits})); }
};

TEST_P(PairTest, StoreRowsWritesItsRowsAsNarrowRoundsThem) {
  const int lanes = kernels().lanes;
  const std::vector<float> special = {0.0f,     -0.0f,     1e-40f,       -1e-44f,    3.4e38f,
                                      infinity, -infinity, not_a_number, 1.00390625f};
  for (const bool finite : {true, false})
    for (const std::int64_t dim : {1, 7, 32, 77}) {
      Tile tile(dim * lanes);
      fill(tile, dim * lanes);
      for (std::int64_t i = 0; i < dim * lanes; i += 5)
        if (const float x = special[static_cast<std::size_t>(i) % special.size()]; !finite || std::isfinite(x))
          tile[i] = x;
      Tile factor(lanes, 1.0f);
      for (int lane = 1; lane < lanes; lane += 2) factor[lane] = random();
      for (int count = 1; count <= lanes; ++count) {
        std::vector<std::uint16_t> out(static_cast<std::size_t>(lanes * (dim + 1)), std::uint16_t{42});
        std::vector<std::uint16_t*> rows;
        for (int lane = 0; lane < lanes; ++lane) rows.push_back(out.data() + lane * (dim + 1));
        const bool all_finite = pairs().store_rows(tile, dim, factor, rows.data(), count);
        bool expected_finite = true;
        for (int lane = 0; lane < lanes; ++lane)
          for (std::int64_t d = 0; d <= dim; ++d) {
            std::uint16_t expected = 42;
            if (lane < count && d < dim) {
              const float x = tile[d * lanes + lane] * factor[lane];
              kernels().narrow(&x, true, 1, &expected);
              expected_finite = expected_finite && std::isfinite(tile[d * lanes + lane]);
            }
            ASSERT_EQ(rows[static_cast<std::size_t>(lane)][d], expected)
                << "dim " << dim << ", lane " << lane << ", " << d;
          }
        EXPECT_EQ(all_finite, expected_finite) << "dim " << dim << ", rows " << count;
      }
    }
}

TEST_P(PairTest, WeightedRowsAreTheBitsOfSumsThatAreStored) {
  const int lanes = kernels().lanes;
  for (const std::int64_t dim : {1, 5, 16, 33, 64, 72})
    for (const std::int64_t count : counts())
      for (const int used : {1, lanes / 2 - 1, lanes / 2, lanes - 3, lanes}) {
        const std::int64_t steps = (count + 1) / 2;
        const auto weights = random_bf16(2 * steps * lanes);
        Tile weight_pairs(steps * lanes), sums(dim * lanes), factor(lanes);
        std::memcpy(weight_pairs, weights.data(), weights.size() * sizeof weights[0]);
        fill(factor, lanes);
        factor[0] = 1e-39f;  // subnormal elements
        auto values = random_bf16(count * dim);
        std::vector<std::uint32_t> value_pairs(static_cast<std::size_t>(steps * dim));
        std::vector<std::uint16_t> expected(static_cast<std::size_t>(lanes * dim), std::uint16_t{42}), got = expected;
        std::vector<std::uint16_t*> expected_rows, rows;
        for (int lane = 0; lane < lanes; ++lane) {
          expected_rows.push_back(expected.data() + lane * dim);
          rows.push_back(got.data() + lane * dim);
        }
        const auto* pointer = reinterpret_cast<const std::uint32_t*>(static_cast<const float*>(weight_pairs));
        const auto write = [&] {
          pairs().pair_values(values.data(), dim, count, dim, value_pairs.data());
          return pairs().weighted_rows(pointer, count, value_pairs.data(), dim, factor, rows.data(), used);
        };
        EXPECT_TRUE(write());
        pairs().weighted_sum(pointer, count, value_pairs.data(), dim, 2, false, {}, Start::zero, nullptr, sums);
        EXPECT_TRUE(pairs().store_rows(sums, dim, factor, expected_rows.data(), used));
        ASSERT_EQ(got, expected) << "dim " << dim << ", keys " << count << ", rows " << used;
        values.back() = 0x7fc0;
        EXPECT_FALSE(write());
      }
}

TEST_P(PairTest, ScoresAreScaledDotProducts) {
  const int lanes = kernels().lanes;
  for (const std::int64_t dim : {2, 6, 64})
    for (const std::int64_t count : counts())
      for (const int vectors : {1, 2}) {
        const int used = vectors * lanes / 2 - 1;
        const std::int64_t stride = dim + 5;
        const auto queries = random_bf16(lanes * dim), keys = random_bf16(count * stride);
        std::vector<const std::uint16_t*> rows;
        for (int lane = 0; lane < lanes; ++lane) rows.push_back(queries.data() + lane * dim);
        Tile tile(dim / 2 * lanes, not_a_number), scores(count * lanes), row_max(lanes);
        auto* pair_tile = reinterpret_cast<std::uint32_t*>(static_cast<float*>(tile));
        pairs().load_rows(rows.data(), used, dim, pair_tile);
        pairs().scores(pair_tile, dim, keys.data(), stride, count, 0.5f, vectors, {}, scores, row_max);
        for (int lane = 0; lane < vectors * lanes / 2; ++lane) {
          float largest = -infinity;
          for (std::int64_t key = 0; key < count; ++key) {
            double expected = 0;
            for (std::int64_t d = 0; d < dim && lane < used; ++d)
              expected += 0.5 * wide(rows[static_cast<std::size_t>(lane)][d]) *
                          wide(keys[static_cast<std::size_t>(key * stride + d)]);
            ASSERT_NEAR(scores[key * lanes + lane], expected, static_cast<double>(dim * dim) * 0x1p-24);
            largest = std::max(largest, scores[key * lanes + lane]);
          }
          ASSERT_EQ(row_max[lane], largest);
        }
      }
}

/// Pairs [key / 2][lane] as weights [key][lane].
std::vector<double> unpacked(const float* pairs, std::int64_t count, int lanes) {
  const auto* packed = reinterpret_cast<const std::uint32_t*>(pairs);
  std::vector<double> weights;
  for (std::int64_t key = 0; key < (count + 1) / 2 * 2; ++key)
    for (int lane = 0; lane < lanes; ++lane) {
      const std::uint32_t pair = packed[key / 2 * lanes + lane];
      const attune::bfloat16 weight{static_cast<std::uint16_t>(key % 2 == 0 ? pair : pair >> 16)};
      weights.push_back(static_cast<double>(to_float(weight)));
    }
  return weights;
}

TEST_P(PairTest, SoftmaxRoundsWeightsOfScaledScores) {
  const int lanes = kernels().lanes;
  for (const std::int64_t count : counts())
    for (const bool natural : {false, true})
      for (const bool careful : {false, true}) {
        const double scale = natural ? 1.0 : 0.3;
        Tile scores(count * lanes), row_max(lanes), m(lanes), l(lanes), alpha(lanes);
        fill(scores, count * lanes);
        if (count > 2) scores[lanes] = -infinity;  // key 1 of lane 0
        const std::vector<float> before(static_cast<float*>(scores), scores + count * lanes);
        std::fill_n(static_cast<float*>(m), lanes, -infinity);
        std::fill_n(static_cast<float*>(l), lanes, 0.0f);
        std::fill_n(static_cast<float*>(row_max), lanes, -infinity);
        for (std::int64_t i = 0; i < count * lanes; ++i) row_max[i % lanes] = std::max(row_max[i % lanes], scores[i]);
        pairs().softmax(scores, count, 2, natural, careful, static_cast<float>(scale), row_max, m, l, alpha);
        const std::vector<double> weights = unpacked(scores, count, lanes);
        for (int lane = 0; lane < lanes; ++lane) {
          ASSERT_FLOAT_EQ(m[lane], row_max[lane] * static_cast<float>(scale));
          double sum = 0;
          for (std::int64_t key = 0; key < count; ++key) {
            const auto at = static_cast<std::size_t>(key * lanes + lane);
            const double exponent = scale * static_cast<double>(before[at]) - static_cast<double>(m[lane]);
            const double expected = natural ? std::exp(exponent) : std::exp2(exponent);
            // bf16's unit roundoff, and the polynomial's own error.
            ASSERT_NEAR(weights[at], expected, expected * (0x1p-8 + 1e-5));
            ASSERT_EQ(std::signbit(weights[at]), careful && before[at] == -infinity);
            sum += expected;
          }
          ASSERT_NEAR(static_cast<double>(l[lane]), sum, sum * 1e-5);
          if (count % 2 == 1) {
            ASSERT_EQ(weights[static_cast<std::size_t>(count * lanes + lane)], 0.0);
          }
        }
      }
}

TEST_P(PairTest, TheLowerVectorTakesNoMoreKeysThanItIsTold) {
  const int lanes = kernels().lanes;
  const std::int64_t dim = 22, count = 3 * kernels().key_rows + 3, lower_keys = kernels().key_rows;
  const auto queries = random_bf16(lanes * dim), keys = random_bf16(count * dim), values = random_bf16(count * dim);
  std::vector<const std::uint16_t*> rows;
  for (int lane = 0; lane < lanes; ++lane) rows.push_back(queries.data() + lane * dim);
  Tile tile(dim / 2 * lanes), whole(count * lanes), scores(count * lanes, 42.0f), row_max(lanes);
  auto* pair_tile = reinterpret_cast<std::uint32_t*>(static_cast<float*>(tile));
  pairs().load_rows(rows.data(), lanes, dim, pair_tile);
  pairs().scores(pair_tile, dim, keys.data(), dim, count, 1.0f, 2, {}, whole, row_max);
  pairs().scores(pair_tile, dim, keys.data(), dim, count, 1.0f, {2, lower_keys}, {}, scores, row_max);
  for (std::int64_t key = 0; key < count; ++key)
    for (int lane = 0; lane < lanes; ++lane) {
      const bool taken = lane >= lanes / 2 || key < lower_keys;
      ASSERT_EQ(scores[key * lanes + lane], taken ? whole[key * lanes + lane] : 42.0f);
    }

  std::vector<std::uint32_t> value_pairs(static_cast<std::size_t>((count + 1) / 2 * dim));
  pairs().pair_values(values.data(), dim, count, dim, value_pairs.data());
  Tile packed((count + 1) / 2 * lanes), sums(dim * lanes), expected(dim * lanes);
  auto* weights = reinterpret_cast<std::uint32_t*>(static_cast<float*>(packed));
  for (const bool careful : {false, true}) {
    const auto set_weights = [&](std::uint32_t rest) {
      for (std::int64_t pair = 0; pair < (count + 1) / 2; ++pair)
        for (int lane = 0; lane < lanes; ++lane)
          weights[pair * lanes + lane] = lane >= lanes / 2 || 2 * pair < lower_keys ? 0x3f003e80u : rest;
    };
    set_weights(0u);
    pairs().weighted_sum(weights, count, value_pairs.data(), dim, 2, careful, {}, Start::zero, nullptr, expected);
    set_weights(0x7fc07fc0u);
    pairs().weighted_sum(weights, count, value_pairs.data(), dim, {2, lower_keys}, careful, {}, Start::zero, nullptr,
                         sums);
    for (std::int64_t i = 0; i < dim * lanes; ++i) ASSERT_EQ(sums[i], expected[i]);
  }
}

TEST_P(PairTest, ASoftmaxBesideAnotherTilesValuesChangesNoBit) {
  const int lanes = kernels().lanes;
  for (const std::int64_t dim : {1, 8, 40, 131})
    for (const std::int64_t count : {5, 96, 256}) {
      Tile weights((count + 1) / 2 * lanes);
      auto* weight_pairs = reinterpret_cast<std::uint32_t*>(static_cast<float*>(weights));
      for (std::int64_t i = 0; i < (count + 1) / 2 * lanes; ++i)
        weight_pairs[i] = 0x3f003e80u + 0x40u * static_cast<std::uint32_t>(i % 7);
      const auto values = random_bf16(count * dim);
      std::vector<std::uint32_t> value_pairs(static_cast<std::size_t>((count + 1) / 2 * dim));
      pairs().pair_values(values.data(), dim, count, dim, value_pairs.data());
      expect_same_beside(
          dim, 0.3f,
          [&](int vectors, const float* alpha, float* sums) {
            pairs().weighted_sum(weight_pairs, count, value_pairs.data(), dim, vectors, false, {}, Start::rescale,
                                 alpha, sums);
          },
          [&](const SoftmaxStep& step) {
            return pairs().softmax(step.scores, step.key_count, step.vectors, false, false, step.scale, step.row_max,
                                   step.m, step.l, step.alpha);
          },
          [&](int vectors, const float* alpha, float* sums, const SoftmaxStep& step) {
            return pairs().weighted_sum_and_softmax(weight_pairs, count, value_pairs.data(), dim, vectors,
                                                    Start::rescale, alpha, sums, step);
          });
    }
}

TEST_P(PairTest, WeightedSumSkipsMarkedKeys) {
  const int lanes = kernels().lanes;
  for (const std::int64_t dim : {1, 8, 19})
    for (const std::int64_t count : counts())
      for (const bool careful : {false, true}) {
        Tile packed((count + 1) / 2 * lanes), out(dim * lanes);
        auto* weight_pairs = reinterpret_cast<std::uint32_t*>(static_cast<float*>(packed));
        const auto random_weights = random_bf16((count + 1) * lanes);
        for (std::int64_t i = 0; i < (count + 1) / 2 * lanes; ++i) {
          const auto at = static_cast<std::size_t>(i);
          const std::uint32_t high = i / lanes * 2 + 1 < count ? random_weights[2 * at + 1] : 0u;
          weight_pairs[i] = random_weights[2 * at] | high << 16;
        }
        auto values = random_bf16(count * dim);
        if (careful && count > 2) {  // lane 0 does not attend key 1, whose value is NaN, nor lane 1 key 2
          for (int lane = 0; lane < lanes; ++lane) weight_pairs[lane] = (weight_pairs[lane] & 0xffffu) | 0x80000000u;
          weight_pairs[lanes + 1] = (weight_pairs[lanes + 1] & 0xffff0000u) | 0x8000u;
          values[static_cast<std::size_t>(dim)] = 0x7fc0;
        }
        std::vector<std::uint32_t> value_pairs(static_cast<std::size_t>((count + 1) / 2 * dim));
        pairs().pair_values(values.data(), dim, count, dim, value_pairs.data());
        const std::vector<double> weights = unpacked(packed, count, lanes);
        pairs().weighted_sum(weight_pairs, count, value_pairs.data(), dim, 2, careful, {}, Start::zero, nullptr, out);
        for (std::int64_t column = 0; column < dim; ++column)
          for (int lane = 0; lane < lanes; ++lane) {
            double expected = 0;
            for (std::int64_t key = 0; key < count; ++key) {
              const double weight = weights[static_cast<std::size_t>(key * lanes + lane)];
              if (careful && weight == 0.0 && std::signbit(weight)) continue;
              expected += weight * wide(values[static_cast<std::size_t>(key * dim + column)]);
            }
            ASSERT_NEAR(out[column * lanes + lane], expected, static_cast<double>(count * count) * 0x1p-24);
          }
      }
}

INSTANTIATE_TEST_SUITE_P(All, PairTest,
                         testing::ValuesIn(attune::kernels::instruction_sets().begin(),
                                           attune::kernels::instruction_sets().end()),
                         [](const auto& set) { return std::string(set.param.kernels->name); });

INSTANTIATE_TEST_SUITE_P(All, KernelTest,
                         testing::ValuesIn(attune::kernels::instruction_sets().begin(),
                                           attune::kernels::instruction_sets().end()),
                         [](const auto& set) { return std::string(set.param.kernels->name); });

}  // namespace
