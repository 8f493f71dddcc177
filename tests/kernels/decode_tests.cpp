// The kernels of few queries, of each instruction set, against plain loops in double.
//
// Tolerances: a sum of n products of magnitude at most 1 carries at most n roundings of 2⁻²⁴ of a partial sum that is
// at most n, so n² · 2⁻²⁴ is certain; a scale multiplies it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <attune/dtype.hpp>

#include "backends/kernels/instruction_sets.hpp"

namespace {

using attune::kernels::DecodeKernels;
using attune::kernels::Element;
using attune::kernels::Fetch;
using attune::kernels::InstructionSet;
using attune::kernels::Kernels;
using attune::kernels::StoredRows;

constexpr Fetch ways_to_fetch[] = {Fetch::far_and_near, Fetch::in_order, Fetch::in_order_from_memory,
                                   Fetch::in_order_from_cache};

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::int64_t rounded_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

/// Floats aligned as the kernels want them.
class Aligned {
 public:
  explicit Aligned(std::int64_t floats, float value = 0.0f)
      : data_(static_cast<float*>(std::aligned_alloc(64, static_cast<std::size_t>(rounded_up(floats * 4, 64))))) {
    std::fill_n(data_, floats, value);
  }
  ~Aligned() { std::free(data_); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  operator float*() const { return data_; }

 private:
  float* data_;
};

class DecodeTest : public testing::TestWithParam<InstructionSet> {
 protected:
  void SetUp() override {
    if (!GetParam().runnable()) GTEST_SKIP() << "this CPU cannot run " << kernels().name;
  }
  const Kernels& kernels() const { return *GetParam().kernels; }
  const DecodeKernels& decode() const { return *kernels().decode; }
  float random() { return uniform_(bits_); }
  std::int64_t pitch(std::int64_t dim) const { return rounded_up(dim, std::max(16, kernels().lanes)); }

  /// Rows of some element type in memory that ends with the last of them, and what they are in f32.
  struct Elements {
    StoredRows rows;
    std::vector<char> memory;
    std::vector<float> values;  // [count][dim]
  };
  Elements elements(Element type, std::int64_t count, std::int64_t dim, std::int64_t stride) {
    Elements result;
    const std::size_t size = type == Element::f32 ? 4 : 2;
    result.memory.resize(static_cast<std::size_t>((count - 1) * stride + dim) * size);
    for (std::int64_t row = 0; row < count; ++row)
      for (std::int64_t d = 0; d < dim; ++d) {
        float value = random();
        char* to = result.memory.data() + static_cast<std::size_t>(row * stride + d) * size;
        if (type == Element::f32) {
          std::memcpy(to, &value, size);
        } else {
          std::uint16_t bits = 0;
          kernels().narrow(&value, type == Element::bf16, 1, &bits);
          kernels().widen(&bits, type == Element::bf16, 1, &value);
          std::memcpy(to, &bits, size);
        }
        result.values.push_back(value);
      }
    result.rows = {result.memory.data(), stride, count, type, nullptr};
    return result;
  }

  /// Random rows of queries, [rows][dim].
  std::vector<float> random_queries(int rows, std::int64_t dim) {
    std::vector<float> queries;
    for (std::int64_t i = 0; i < rows * dim; ++i) queries.push_back(random());
    return queries;
  }
  /// What scores() makes of them, [rows][score_pitch].
  void score(const std::vector<float>& queries, int rows, std::int64_t dim, const StoredRows& keys, float* scores,
             std::int64_t score_pitch) const {
    Aligned loaded(rows * pitch(dim), not_a_number);
    for (int row = 0; row < rows; ++row)
      decode().load_query(queries.data() + row * dim, dim, 1.0f, keys.element, row, rows, pitch(dim), loaded);
    decode().scores(loaded, rows, pitch(dim), dim, keys, scores, score_pitch);
  }

 private:
  std::mt19937 bits_{11};
  std::uniform_real_distribution<float> uniform_{-1.0f, 1.0f};
};

constexpr Element element_types[] = {Element::f32, Element::f16, Element::bf16};
constexpr std::int64_t dims[] = {1, 7, 8, 16, 19, 40, 64, 100, 128};
constexpr std::int64_t key_counts[] = {1, 2, 3, 5, 24, 25, 71};

TEST_P(DecodeTest, ScoresAreProductsOfEveryRowAndKey) {
  const std::int64_t score_pitch = 160;
  for (const Element type : element_types)
    for (const int rows : {1, 2, 3, 4, 5, 8, 11, 12, 20})
      for (const std::int64_t dim : dims)
        for (const std::int64_t count : key_counts) {
          const Elements keys = elements(type, count, dim, dim + 3);
          Aligned scores(rows * score_pitch, not_a_number);
          const std::vector<float> queries = random_queries(rows, dim);
          score(queries, rows, dim, keys.rows, scores, score_pitch);
          for (int row = 0; row < rows; ++row)
            for (std::int64_t key = 0; key < count; ++key) {
              double sum = 0;
              for (std::int64_t d = 0; d < dim; ++d)
                sum += static_cast<double>(queries[static_cast<std::size_t>(row * dim + d)]) *
                       static_cast<double>(keys.values[static_cast<std::size_t>(key * dim + d)]);
              const double tolerance = static_cast<double>((dim + 1) * (dim + 1)) * 0x1p-24;
              ASSERT_NEAR(scores[row * score_pitch + key], sum, tolerance)
                  << "rows " << rows << ", dim " << dim << ", keys " << count;
            }
        }
}

TEST_P(DecodeTest, QueriesAreScaledWhenTheyAreLoaded) {
  const std::int64_t dim = 19, score_pitch = 160;
  const Elements keys = elements(Element::f32, 1, dim, dim);
  for (const int rows : {1, 8}) {
    const std::vector<float> queries = random_queries(rows, dim);
    Aligned loaded(rows * pitch(dim)), scores(rows * score_pitch), plain(rows * score_pitch);
    for (int row = 0; row < rows; ++row)
      decode().load_query(queries.data() + row * dim, dim, 0.25f, Element::f32, row, rows, pitch(dim), loaded);
    decode().scores(loaded, rows, pitch(dim), dim, keys.rows, scores, score_pitch);
    score(queries, rows, dim, keys.rows, plain, score_pitch);
    for (int row = 0; row < rows; ++row) EXPECT_EQ(scores[row * score_pitch], 0.25f * plain[row * score_pitch]);
  }
}

TEST_P(DecodeTest, ScoresOfAKeyAreTheSameBitsWhereverItStandsAndWhateverFollows) {
  const std::int64_t dim = 72, count = 50, score_pitch = 160;
  const Elements keys = elements(Element::f32, count, dim, dim);
  for (const int rows : {4, 8, 12}) {
    const std::vector<float> queries = random_queries(rows, dim);
    Aligned scores(rows * score_pitch), single(rows * score_pitch);
    score(queries, rows, dim, keys.rows, scores, score_pitch);
    for (std::int64_t key = 0; key < count; ++key) {
      StoredRows alone = keys.rows;
      alone.data = static_cast<const float*>(alone.data) + key * dim;
      alone.count = 1;
      score(queries, rows, dim, alone, single, score_pitch);
      for (int row = 0; row < rows; ++row) ASSERT_EQ(scores[row * score_pitch + key], single[row * score_pitch]) << key;
    }
  }
}

TEST_P(DecodeTest, WeightedSumAddsEveryValueInBothModesAlike) {
  const std::int64_t weight_pitch = 96;
  for (const Element type : element_types)
    for (const int rows : {1, 2, 3, 4, 5, 8, 11})
      for (const std::int64_t dim : dims)
        for (const std::int64_t count : key_counts) {
          const Elements values = elements(type, count, dim, dim + 5);
          Aligned weights(rows * weight_pitch), sums(rows * pitch(dim)), careful(rows * pitch(dim));
          for (int row = 0; row < rows; ++row) {
            for (std::int64_t key = 0; key < count; ++key)
              weights[row * weight_pitch + key] = key % 5 == 3 ? -0.0f : random();
            for (std::int64_t c = 0; c < dim; ++c)
              sums[row * pitch(dim) + c] = careful[row * pitch(dim) + c] = static_cast<float>(c);
          }
          decode().weighted_sum(weights, rows, weight_pitch, values.rows, dim, false, sums, pitch(dim));
          decode().weighted_sum(weights, rows, weight_pitch, values.rows, dim, true, careful, pitch(dim));
          for (int row = 0; row < rows; ++row)
            for (std::int64_t c = 0; c < dim; ++c) {
              auto sum = static_cast<double>(c);
              for (std::int64_t key = 0; key < count; ++key)
                sum += static_cast<double>(weights[row * weight_pitch + key]) *
                       static_cast<double>(values.values[static_cast<std::size_t>(key * dim + c)]);
              // The partial sums start at c.
              const auto n = static_cast<double>(count + 1);
              ASSERT_NEAR(sums[row * pitch(dim) + c], sum, n * (n + static_cast<double>(c)) * 0x1p-24)
                  << "rows " << rows << ", dim " << dim << ", keys " << count << ", column " << c;
              ASSERT_EQ(sums[row * pitch(dim) + c], careful[row * pitch(dim) + c]);
            }
        }
}

TEST_P(DecodeTest, RowsInStreamsAreUsedInTheirOrder) {
  const std::int64_t score_pitch = 320, dim = 24;
  for (const Element type : element_types)
    for (const int rows : {1, 2, 3, 4, 7, 8})
      for (const std::int64_t count : {64, 67, 96, 253}) {
        Elements keys = elements(type, count, dim, dim + 3), values = elements(type, count, dim, dim);
        Aligned by_key(rows * score_pitch), scores(rows * score_pitch);
        const std::vector<float> queries = random_queries(rows, dim);
        score(queries, rows, dim, keys.rows, by_key, score_pitch);
        keys.rows.in_streams = values.rows.in_streams = true;
        score(queries, rows, dim, keys.rows, scores, score_pitch);
        for (int row = 0; row < rows; ++row)
          for (std::int64_t i = 0; i < count; ++i) {
            const std::int64_t key = attune::kernels::place_in_streams(i, count);
            ASSERT_EQ(scores[row * score_pitch + i], by_key[row * score_pitch + key]);
          }
        Aligned sums(rows * pitch(dim), 0.0f), careful(rows * pitch(dim), 0.0f);
        decode().weighted_sum(scores, rows, score_pitch, values.rows, dim, false, sums, pitch(dim));
        decode().weighted_sum(scores, rows, score_pitch, values.rows, dim, true, careful, pitch(dim));
        for (int row = 0; row < rows; ++row)
          for (std::int64_t c = 0; c < dim; ++c) {
            double sum = 0, sizes = 0;
            for (std::int64_t key = 0; key < count; ++key) {
              const double product = static_cast<double>(by_key[row * score_pitch + key]) *
                                     static_cast<double>(values.values[static_cast<std::size_t>(key * dim + c)]);
              sum += product;
              sizes += std::abs(product);
            }
            ASSERT_NEAR(sums[row * pitch(dim) + c], sum, sizes * static_cast<double>(count + 1) * 0x1p-24);
            ASSERT_EQ(sums[row * pitch(dim) + c], careful[row * pitch(dim) + c]);
          }
      }
}

TEST_P(DecodeTest, WhatIsFetchedAheadChangesNoBit) {
  const std::int64_t score_pitch = 288;
  for (const Fetch fetch : ways_to_fetch)
    for (const Element type : element_types)
      for (const int rows : {1, 2, 3, 4, 5, 6, 8, 12, 20})
        for (const std::int64_t dim : {24, 100, 128})
          for (const std::int64_t count : {5, 64, 253}) {
            Elements keys = elements(type, count, dim, dim + 3);
            keys.rows.in_streams = fetch == Fetch::far_and_near && count > 5;
            const std::vector<float> queries = random_queries(rows, dim);
            Aligned scores(rows * score_pitch, 0.0f), sums(rows * pitch(dim), 0.0f);
            const auto compute = [&](float* to_scores, float* to_sums) {
              score(queries, rows, dim, keys.rows, to_scores, score_pitch);
              decode().weighted_sum(to_scores, rows, score_pitch, keys.rows, dim, false, to_sums, pitch(dim));
            };
            compute(scores, sums);
            keys.rows.fetch = fetch;
            keys.rows.next = keys.rows.data;
            Aligned scores_again(rows * score_pitch, 0.0f), sums_again(rows * pitch(dim), 0.0f);
            compute(scores_again, sums_again);
            for (int row = 0; row < rows; ++row) {
              for (std::int64_t key = 0; key < count; ++key)
                ASSERT_EQ(scores_again[row * score_pitch + key], scores[row * score_pitch + key]);
              for (std::int64_t c = 0; c < dim; ++c)
                ASSERT_EQ(sums_again[row * pitch(dim) + c], sums[row * pitch(dim) + c]);
            }
          }
}

TEST_P(DecodeTest, CarefulModeLeavesOutMarkedKeysWhateverTheyHold) {
  const std::int64_t dim = 20, count = 9;
  for (const float poison : {not_a_number, infinity}) {
    Elements values = elements(Element::f32, count, dim, dim);
    auto* data = reinterpret_cast<float*>(values.memory.data());
    std::fill_n(data + 4 * dim, dim, poison);
    Aligned weights(16, 0.5f), sums(pitch(dim));
    weights[4] = -0.0f;
    decode().weighted_sum(weights, 1, 16, values.rows, dim, true, sums, pitch(dim));
    for (std::int64_t c = 0; c < dim; ++c) ASSERT_TRUE(std::isfinite(sums[c]));
    // A weight that underflowed to 0 belongs to a key that is attended.
    std::fill_n(static_cast<float*>(sums), dim, 0.0f);
    weights[4] = 0.0f;
    decode().weighted_sum(weights, 1, 16, values.rows, dim, true, sums, pitch(dim));
    for (std::int64_t c = 0; c < dim; ++c) ASSERT_TRUE(std::isnan(sums[c]));
  }
}

// ---- Pairs of bf16: products of rounded operands are exact, so the tolerances of their sums are those above.

class DecodePairTest : public DecodeTest {
 protected:
  void SetUp() override {
    DecodeTest::SetUp();
    if (kernels().pairs == nullptr && !IsSkipped()) GTEST_SKIP() << kernels().name << " has no products of pairs";
  }
  const attune::kernels::PairKernels& pairs() const { return *kernels().pairs; }

  static std::uint16_t* as_bf16(float* memory) { return reinterpret_cast<std::uint16_t*>(memory); }
  float round(float value, std::uint16_t* to) const {
    kernels().narrow(&value, true, 1, to);
    kernels().widen(to, true, 1, &value);
    return value;
  }
};

/// Numbers of rows that are computed as they are, and some that others are added to.
constexpr int pair_rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 16, 18, 20, 24, 28, 32};

TEST_P(DecodePairTest, ScoresAreScaledProductsOfEveryRowAndKey) {
  const std::int64_t score_pitch = 160;
  for (const int rows : pair_rows)
    for (const std::int64_t dim : {2, 8, 30, 32, 40, 64, 98, 128})
      for (const std::int64_t count : key_counts) {
        Elements keys = elements(Element::bf16, count, dim, dim + 3);
        const int computed = static_cast<int>(attune::kernels::rows_of_pairs(rows));
        const std::int64_t pair_pitch = 2 * pitch(dim);
        Aligned queries(computed * pitch(dim), 0.0f);
        std::vector<float> rounded;
        for (int row = 0; row < rows; ++row) {
          std::vector<std::uint16_t> query(static_cast<std::size_t>(dim));
          for (std::uint16_t& element : query) rounded.push_back(round(random(), &element));
          pairs().load_decode_query(query.data(), dim, row, computed, pair_pitch, as_bf16(queries));
        }
        const auto score = [&](float* to) {
          Aligned scores(computed * score_pitch, not_a_number);
          pairs().decode_scores(as_bf16(queries), computed, pair_pitch, dim, 0.5f, keys.rows, 0, scores, score_pitch);
          for (int row = 0; row < rows; row += 8)
            pairs().read_scores(scores, computed, score_pitch, row, count, to + row * score_pitch);
        };
        Aligned scores(computed * score_pitch), again(computed * score_pitch);
        score(scores);
        for (const Fetch fetch : ways_to_fetch) {
          keys.rows.fetch = fetch;
          score(again);
          for (int row = 0; row < rows; ++row)
            for (std::int64_t key = 0; key < count; ++key)
              ASSERT_EQ(again[row * score_pitch + key], scores[row * score_pitch + key]);
        }
        for (int row = 0; row < rows; ++row)
          for (std::int64_t key = 0; key < count; ++key) {
            double sum = 0;
            for (std::int64_t d = 0; d < dim; ++d)
              sum += static_cast<double>(rounded[static_cast<std::size_t>(row * dim + d)]) *
                     static_cast<double>(keys.values[static_cast<std::size_t>(key * dim + d)]);
            const double tolerance = 0.5 * static_cast<double>((dim + 1) * (dim + 1)) * 0x1p-24;
            ASSERT_NEAR(scores[row * score_pitch + key], 0.5 * sum, tolerance)
                << "row " << row << " of " << rows << ", dim " << dim << ", key " << key << " of " << count;
          }
      }
}

TEST_P(DecodePairTest, ScoresGoOnFromAKeyAndAreUsedInTheOrderOfStreams) {
  const std::int64_t score_pitch = 320, dim = 24, pair_pitch = 2 * pitch(dim);
  for (const int rows : {4, 8, 12, 24})
    for (const std::int64_t count : {64, 67, 96, 253}) {
      Elements keys = elements(Element::bf16, count, dim, dim + 3);
      Aligned queries(rows * pitch(dim));
      for (int row = 0; row < rows; ++row) {
        std::vector<std::uint16_t> query(static_cast<std::size_t>(dim));
        for (std::uint16_t& element : query) round(random(), &element);
        pairs().load_decode_query(query.data(), dim, row, rows, pair_pitch, as_bf16(queries));
      }
      const auto score = [&](const StoredRows& of, std::int64_t first, float* scores) {
        pairs().decode_scores(as_bf16(queries), rows, pair_pitch, dim, 1.0f, of, first, scores, score_pitch);
      };
      Aligned by_key(rows * score_pitch), in_parts(rows * score_pitch), by_turns(rows * score_pitch);
      score(keys.rows, 0, by_key);
      StoredRows part = keys.rows;
      part.count = 48;
      score(part, 0, in_parts);
      part = keys.rows;
      part.data = static_cast<const std::uint16_t*>(part.data) + 48 * part.stride;
      part.count -= 48;
      score(part, 48, in_parts);
      keys.rows.in_streams = true;
      score(keys.rows, 0, by_turns);
      const auto row_of = [&](const float* scores, int row) {
        Aligned of_eight(8 * score_pitch);
        pairs().read_scores(scores, rows, score_pitch, row / 8 * 8, count, of_eight);
        const float* first = of_eight + row % 8 * score_pitch;
        return std::vector<float>(first, first + count);
      };
      for (int row = 0; row < rows; ++row) {
        const std::vector<float> expected = row_of(by_key, row), turns = row_of(by_turns, row);
        EXPECT_EQ(row_of(in_parts, row), expected);
        for (std::int64_t i = 0; i < count; ++i) {
          const std::int64_t key = attune::kernels::place_in_streams(i, count);
          ASSERT_EQ(turns[static_cast<std::size_t>(i)], expected[static_cast<std::size_t>(key)]);
        }
      }
    }
}

/// Rows of scores on their way to weights.
struct PairScoreRows {
  PairScoreRows(const attune::kernels::PairKernels& kernels, int computed, std::int64_t keys)
      : pairs(kernels), rows(computed), count(keys), scores(computed * score_pitch, 0.0f) {}
  void write(int row, const float* from) {
    Aligned of_eight(8 * score_pitch);
    pairs.read_scores(scores, rows, score_pitch, row / 8 * 8, count, of_eight);
    std::copy_n(from, count, of_eight + row % 8 * score_pitch);
    pairs.write_scores(of_eight, rows, score_pitch, row / 8 * 8, count, scores);
  }
  void softmax(bool natural, float* m, float* l) {
    pairs.decode_softmax(scores, rows, score_pitch, count, natural, m, l);
  }

  static constexpr std::int64_t score_pitch = 320;
  const attune::kernels::PairKernels& pairs;
  int rows;
  std::int64_t count;
  Aligned scores;
};

TEST_P(DecodePairTest, RowsComeBackAsTheyWereWrittenButForHiddenKeys) {
  const std::int64_t pitch = PairScoreRows::score_pitch;
  for (const int rows : {1, 3, 6, 8, 12, 16, 20, 28})
    for (const std::int64_t count : {1, 15, 16, 40, 300}) {
      PairScoreRows of(pairs(), rows, count);
      std::vector<std::vector<float>> expected(static_cast<std::size_t>(rows));
      for (std::vector<float>& row : expected)
        for (std::int64_t key = 0; key < count; ++key) row.push_back(random());
      for (int row = 0; row < rows; ++row) {
        auto& scores = expected[static_cast<std::size_t>(row)];
        of.write(row, scores.data());
        const std::int64_t begin = row % count, end = std::min<std::int64_t>(count, begin + 5);
        pairs().hide_keys(of.scores, rows, pitch, row, begin, end);
        std::fill(scores.begin() + begin, scores.begin() + end, -infinity);
      }
      for (int first = 0; first < rows; first += 8) {
        Aligned read(8 * pitch);
        pairs().read_scores(of.scores, rows, pitch, first, count, read);
        for (int row = first; row < std::min(first + 8, rows); ++row)
          for (std::int64_t key = 0; key < count; ++key)
            ASSERT_EQ(read[(row - first) * pitch + key],
                      expected[static_cast<std::size_t>(row)][static_cast<std::size_t>(key)])
                << "row " << row << " of " << rows << ", key " << key;
      }
    }
}

TEST_P(DecodePairTest, SoftmaxLeavesTheMaximumAndTheSumOfWeights) {
  for (const bool natural : {false, true})
    for (const int rows : {1, 4, 8, 12, 20})
      for (const std::int64_t count : {1, 5, 16, 31, 96}) {
        PairScoreRows of(pairs(), rows, count);
        std::vector<std::vector<float>> before(static_cast<std::size_t>(rows));
        for (int row = 0; row < rows; ++row) {
          std::vector<float>& scores = before[static_cast<std::size_t>(row)];
          for (std::int64_t key = 0; key < count; ++key)
            scores.push_back(key % 7 == 5 || row == 3 ? -infinity : 8.0f * random());
          of.write(row, scores.data());
        }
        std::vector<float> m(static_cast<std::size_t>(rows)), l(static_cast<std::size_t>(rows));
        of.softmax(natural, m.data(), l.data());
        for (std::size_t row = 0; row < before.size(); ++row) {
          EXPECT_EQ(m[row], *std::max_element(before[row].begin(), before[row].end()));
          // exp2 to 2.8e-6, and half an ulp of the difference of at most 16 (times log2 e) in its exponent.
          const double of_exp2 = 2.8e-6 + 16.0 * 1.5 * 0x1p-23;
          double sum = 0;
          for (const float score : before[row])
            if (score > -infinity) {
              const double difference = static_cast<double>(score) - static_cast<double>(m[row]);
              sum += natural ? std::exp(difference) : std::exp2(difference);
            }
          EXPECT_NEAR(l[row], sum, sum * (of_exp2 + static_cast<double>(count) * 0x1p-24));
        }
      }
}

TEST_P(DecodePairTest, SoftmaxOfWhatIsNotFiniteIsNotANumber) {
  for (const float poison : {not_a_number, infinity})
    for (const int rows : {1, 8, 12}) {
      PairScoreRows of(pairs(), rows, 20);
      std::vector<float> scores(20, 1.0f), m(static_cast<std::size_t>(rows)), l(static_cast<std::size_t>(rows));
      for (int row = 0; row < rows; ++row) of.write(row, scores.data());
      scores[18] = poison;
      of.write(rows - 1, scores.data());
      of.softmax(true, m.data(), l.data());
      for (int row = 0; row < rows; ++row)
        EXPECT_EQ(std::isnan(l[static_cast<std::size_t>(row)]), row == rows - 1) << row;
    }
}

/// Scores that are whole numbers have weights that bf16 holds: the products are exact, so the tolerances are those
/// above.
TEST_P(DecodePairTest, WeightedSumAddsEveryValueInBothModesAlike) {
  for (const bool in_streams : {false, true})
    for (const int rows : {1, 2, 3, 4, 5, 8, 12, 16, 20, 28})
      for (const std::int64_t dim : {1, 2, 17, 32, 33, 64, 100, 128, 160})
        for (const std::int64_t count : {1, 2, 3, 24, 25, 71, 253}) {
          Elements values = elements(Element::bf16, count, dim, dim + 5);
          values.rows.in_streams = in_streams;
          PairScoreRows of(pairs(), rows, count);
          std::vector<double> weights;
          for (int row = 0; row < rows; ++row) {
            std::vector<float> scores;
            for (std::int64_t key = 0; key < count; ++key) {
              scores.push_back(key % 5 == 3 ? -infinity : key == 0 ? 0.0f : std::floor(4.0f * random() - 4.0f));
              weights.push_back(std::exp2(static_cast<double>(scores.back())));
            }
            of.write(row, scores.data());
          }
          std::vector<float> m(static_cast<std::size_t>(rows)), l(static_cast<std::size_t>(rows));
          of.softmax(false, m.data(), l.data());
          const std::int64_t sum_pitch = rounded_up(dim, 32);
          const auto sum_up = [&](bool mode, float* to) {
            pairs().decode_weighted_sum(of.scores, rows, of.score_pitch, 0, values.rows, dim, mode, to, sum_pitch);
            for (int row = 0; row < rows; ++row) pairs().columns_in_order(to + row * sum_pitch, dim);
          };
          Aligned sums(rows * sum_pitch), careful(rows * sum_pitch);
          sum_up(false, sums);
          sum_up(true, careful);
          for (const Fetch fetch : ways_to_fetch) {
            if (fetch != Fetch::far_and_near && in_streams) continue;
            values.rows.fetch = fetch;
            Aligned again(rows * sum_pitch);
            sum_up(false, again);
            for (int row = 0; row < rows; ++row)
              for (std::int64_t c = 0; c < dim; ++c) ASSERT_EQ(again[row * sum_pitch + c], sums[row * sum_pitch + c]);
          }
          for (int row = 0; row < rows; ++row)
            for (std::int64_t c = 0; c < dim; ++c) {
              double sum = 0, sizes = 0;
              for (std::int64_t i = 0; i < count; ++i) {
                const std::int64_t key = in_streams ? attune::kernels::place_in_streams(i, count) : i;
                const double product = weights[static_cast<std::size_t>(row * count + i)] *
                                       static_cast<double>(values.values[static_cast<std::size_t>(key * dim + c)]);
                sum += product;
                sizes += std::abs(product);
              }
              ASSERT_NEAR(sums[row * sum_pitch + c], sum, sizes * static_cast<double>(count + 1) * 0x1p-24)
                  << "row " << row << " of " << rows << ", dim " << dim << ", keys " << count << ", column " << c;
              ASSERT_EQ(sums[row * sum_pitch + c], careful[row * sum_pitch + c]);
            }
        }
}

TEST_P(DecodePairTest, WeightedSumInPartsIsThatOfAllKeys) {
  const std::int64_t dim = 40, sum_pitch = 64, count = 96;
  Elements values = elements(Element::bf16, count, dim, dim);
  for (const int rows : {3, 8, 12}) {
    PairScoreRows of(pairs(), rows, count);
    std::vector<double> weights;
    for (int row = 0; row < rows; ++row) {
      std::vector<float> scores;
      for (std::int64_t key = 0; key < count; ++key) {
        scores.push_back(key == 0 ? 0.0f : std::floor(4.0f * random() - 4.0f));
        weights.push_back(std::exp2(static_cast<double>(scores.back())));
      }
      of.write(row, scores.data());
    }
    std::vector<float> m(static_cast<std::size_t>(rows)), l(static_cast<std::size_t>(rows));
    of.softmax(false, m.data(), l.data());
    Aligned sums(rows * sum_pitch);
    for (const std::int64_t first : {0, 48}) {
      StoredRows part = values.rows;
      part.data = static_cast<const std::uint16_t*>(part.data) + first * dim;
      part.count = 48;
      pairs().decode_weighted_sum(of.scores, rows, of.score_pitch, first, part, dim, false, sums, sum_pitch);
    }
    for (int row = 0; row < rows; ++row) {
      pairs().columns_in_order(sums + row * sum_pitch, dim);
      for (std::int64_t c = 0; c < dim; ++c) {
        double sum = 0;
        for (std::int64_t key = 0; key < count; ++key)
          sum += weights[static_cast<std::size_t>(row * count + key)] *
                 static_cast<double>(values.values[static_cast<std::size_t>(key * dim + c)]);
        ASSERT_NEAR(sums[row * sum_pitch + c], sum, static_cast<double>(count * (count + 1)) * 0x1p-24);
      }
    }
  }
}

TEST_P(DecodePairTest, CarefulModeLeavesOutEitherKeyOfAPairWhateverItHolds) {
  const std::int64_t dim = 20, count = 9, sum_pitch = 32;
  for (const int rows : {1, 8, 12})
    for (const std::int64_t poisoned : {2, 3, 8}) {
      Elements values = elements(Element::bf16, count, dim, dim);
      auto* data = reinterpret_cast<std::uint16_t*>(values.memory.data());
      std::fill_n(data + poisoned * dim, dim, std::uint16_t{0x7fc0});
      const auto sum_with = [&](float score, float* sums) {
        PairScoreRows of(pairs(), rows, count);
        std::vector<float> scores(static_cast<std::size_t>(count), 0.0f);
        scores[static_cast<std::size_t>(poisoned)] = score;
        for (int row = 0; row < rows; ++row) of.write(row, scores.data());
        std::vector<float> m(static_cast<std::size_t>(rows)), l(static_cast<std::size_t>(rows));
        of.softmax(false, m.data(), l.data());
        pairs().decode_weighted_sum(of.scores, rows, of.score_pitch, 0, values.rows, dim, true, sums, sum_pitch);
        for (int row = 0; row < rows; ++row) pairs().columns_in_order(sums + row * sum_pitch, dim);
      };
      Aligned without(rows * sum_pitch), with(rows * sum_pitch);
      sum_with(-infinity, without);
      sum_with(-1000.0f, with);  // a weight that underflowed to 0 belongs to a key that is attended
      for (int row = 0; row < rows; ++row)
        for (std::int64_t c = 0; c < dim; ++c) {
          ASSERT_TRUE(std::isfinite(without[row * sum_pitch + c]));
          ASSERT_TRUE(std::isnan(with[row * sum_pitch + c]));
        }
    }
}

TEST_P(DecodePairTest, CarefulModeKeepsWhatIsNotANumberToItsRow) {
  const std::int64_t dim = 128, sum_pitch = 128;  // whose turns are of 64 keys
  for (const int rows : {6, 8, 12})
    for (const std::int64_t count : {9, 67}) {
      const Elements values = elements(Element::bf16, count, dim, dim);
      PairScoreRows of(pairs(), rows, count);
      std::vector<float> scores(static_cast<std::size_t>(count), 0.0f);
      for (int row = 0; row + 1 < rows; ++row) of.write(row, scores.data());
      std::fill(scores.begin(), scores.end(), not_a_number);
      of.write(rows - 1, scores.data());
      std::vector<float> m(static_cast<std::size_t>(rows)), l(static_cast<std::size_t>(rows));
      of.softmax(false, m.data(), l.data());
      Aligned sums(rows * sum_pitch);
      pairs().decode_weighted_sum(of.scores, rows, of.score_pitch, 0, values.rows, dim, true, sums, sum_pitch);
      for (int row = 0; row < rows; ++row)
        for (std::int64_t c = 0; c < dim; ++c)
          ASSERT_EQ(std::isnan(sums[row * sum_pitch + c]), row + 1 == rows) << "row " << row << " of " << rows;
    }
}

TEST_P(DecodeTest, SoftmaxLeavesWeightsTheirMaximumAndTheirSum) {
  for (const bool natural : {false, true}) {
    const std::int64_t count = 3 * kernels().lanes;
    Aligned scores(count), before(count);
    for (std::int64_t key = 0; key < count; ++key) before[key] = scores[key] = 8.0f * random();
    before[5] = scores[5] = -infinity;
    float m = 0, l = 0;
    decode().softmax(scores, count, natural, &m, &l);
    EXPECT_EQ(m, *std::max_element(static_cast<float*>(before), before + count));
    double sum = 0;
    for (std::int64_t key = 0; key < count; ++key) {
      const double difference = static_cast<double>(before[key]) - static_cast<double>(m);
      const double weight = natural ? std::exp(difference) : std::exp2(difference);
      // 2 ulp of exp2, half an ulp of the difference of at most 16 (times log2 e) in its exponent.
      ASSERT_NEAR(scores[key], weight, weight * (2.0 + 16.0 * 1.5) * 0x1p-23);
      sum += static_cast<double>(scores[key]);
    }
    EXPECT_NEAR(l, sum, sum * static_cast<double>(count) * 0x1p-24);
    EXPECT_EQ(scores[5], 0.0f);
    EXPECT_TRUE(std::signbit(scores[5]));
  }
}

TEST_P(DecodeTest, SoftmaxOfEmptyRowsAndOfWhatIsNotFinite) {
  const std::int64_t count = kernels().lanes;
  float m = 0, l = 1;
  Aligned empty(count, -infinity);
  decode().softmax(empty, count, false, &m, &l);
  EXPECT_EQ(m, -infinity);
  EXPECT_EQ(l, 0.0f);
  for (const float poison : {not_a_number, infinity}) {
    Aligned scores(count, 1.0f);
    scores[count / 2] = poison;
    decode().softmax(scores, count, true, &m, &l);
    EXPECT_TRUE(std::isnan(l));
  }
  Aligned lowest(count, std::numeric_limits<float>::lowest());
  decode().softmax(lowest, count, true, &m, &l);
  EXPECT_EQ(l, static_cast<float>(count));
}

TEST_P(DecodeTest, OptionsChangeScoresAndNothingBeyondThem) {
  for (const std::int64_t count : {1, 7, 16, 33}) {
    std::vector<float> before, bias, marks;
    for (std::int64_t key = 0; key < count; ++key) {
      before.push_back(key == 3 ? not_a_number : random());
      bias.push_back(random());
      marks.push_back(key % 2 == 1 ? -infinity : 0.0f);
    }
    const auto changed = [&](auto change) {
      std::vector<float> scores = before;
      scores.push_back(42.0f);
      change(scores.data());
      EXPECT_EQ(scores.back(), 42.0f);
      return scores;
    };
    const auto capped = changed([&](float* s) { decode().softcap(s, count, 2.0f); });
    const auto biased = changed([&](float* s) { decode().add_bias(s, count, bias.data()); });
    const auto selected = changed([&](float* s) { decode().select_keys(s, count, marks.data()); });
    const auto alibi = changed([&](float* s) { decode().alibi(s, count, 0.25f, 10.0f); });
    for (std::size_t key = 0; key < before.size(); ++key) {
      if (key % 2 == 1)
        EXPECT_EQ(selected[key], -infinity);
      else
        EXPECT_EQ(selected[key], before[key]);
      if (key == 3) continue;
      EXPECT_EQ(biased[key], before[key] + bias[key]);
      EXPECT_NEAR(capped[key], 2.0 * std::tanh(static_cast<double>(before[key]) / 2), 2 * 4 * 0x1p-24);
      const double distance = std::abs(10.0 - static_cast<double>(key));
      EXPECT_NEAR(alibi[key], static_cast<double>(before[key]) - 0.25 * distance, 16 * 0x1p-24);
    }
  }
}

TEST_P(DecodeTest, JoinRescalesBothParts) {
  const std::int64_t count = 2 * kernels().lanes;
  Aligned sums(count), others(count);
  for (std::int64_t i = 0; i < count; ++i) sums[i] = static_cast<float>(i), others[i] = 1.0f;
  decode().join(sums, 0.5f, others, 2.0f, count);
  for (std::int64_t i = 0; i < count; ++i) EXPECT_EQ(sums[i], 0.5f * static_cast<float>(i) + 2.0f);
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, DecodeTest,
                         testing::ValuesIn(attune::kernels::instruction_sets().begin(),
                                           attune::kernels::instruction_sets().end()),
                         [](const auto& set) { return std::string(set.param.kernels->name); });

INSTANTIATE_TEST_SUITE_P(InstructionSets, DecodePairTest,
                         testing::ValuesIn(attune::kernels::instruction_sets().begin(),
                                           attune::kernels::instruction_sets().end()),
                         [](const auto& set) { return std::string(set.param.kernels->name); });

}  // namespace
