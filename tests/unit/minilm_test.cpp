// Every backend against a real model's attention (data/minilm): one sentence, a padded batch, and a long text whose
// scores reach from −64 to 76. Stored results were computed in float64 and rounded to f32.
#include <gtest/gtest.h>

#include <attune/engine.hpp>
#include <attune/tolerance.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/tensor_values.hpp"
#include "tools/attune/io/tensor_file.hpp"

namespace attune {
namespace {

using io::read_tensor;
using io::Tensor;
using test::values;
using tolerance::half_ulp;

constexpr const char* folder = ATTUNE_DATA "/minilm/";

Tensor read(const std::string& spec) { return read_tensor(folder + spec); }

/// [heads, tokens, dim] as a batch of one.
Tensor batch_of_one(Tensor tensor) {
  tensor.shape.insert(tensor.shape.begin(), 1);
  return tensor;
}

/// What the tolerance of one row of out is made of, from a plain evaluation in double.
struct Row {
  double amplitude = 0;
  std::vector<double> mass;  // Σ w|v| of each element
};

struct Layer {
  std::vector<double> query, key, value;
  std::int64_t heads = 0, tokens = 0, dim = 0;

  Row row(std::int64_t head, std::int64_t i, std::int64_t keys) const;
};

Row Layer::row(std::int64_t head, std::int64_t i, std::int64_t keys) const {
  const double scale = 1 / std::sqrt(static_cast<double>(dim));
  const auto element = [this](const std::vector<double>& tensor, std::int64_t h, std::int64_t token, std::int64_t d) {
    return tensor[static_cast<std::size_t>((h * tokens + token) * dim + d)];
  };
  std::vector<double> scores, sizes;
  for (std::int64_t j = 0; j < keys; ++j) {
    double score = 0, size = 0;
    for (std::int64_t d = 0; d < dim; ++d) {
      const double product = scale * element(query, head, i, d) * element(key, head, j, d);
      score += product;
      size += std::abs(product);
    }
    scores.push_back(score);
    sizes.push_back(size);
  }
  const double largest = *std::max_element(scores.begin(), scores.end());
  Row result{std::abs(largest), std::vector<double>(static_cast<std::size_t>(dim), 0)};
  double size_in_reach = 0, sum = 0;
  for (std::size_t j = 0; j < scores.size(); ++j) {
    if (scores[j] > largest - tolerance::reach) size_in_reach = std::max(size_in_reach, sizes[j]);
    const double weight = std::exp(scores[j] - largest);
    sum += weight;
    for (std::int64_t d = 0; d < dim; ++d) {
      result.mass[static_cast<std::size_t>(d)] +=
          weight * std::abs(element(value, head, static_cast<std::int64_t>(j), d));
    }
  }
  for (double& mass : result.mass) mass /= sum;
  result.amplitude += size_in_reach;
  return result;
}

/// Compares one batch member, row by row.
void expect_close(const Layer& layer, const double* expected, const double* actual, std::int64_t keys) {
  for (std::int64_t row = 0; row < layer.heads * layer.tokens; ++row) {
    const Row bound = layer.row(row / layer.tokens, row % layer.tokens, keys);
    const double relative = tolerance::relative_tolerance(layer.dim, bound.amplitude);
    for (std::int64_t d = 0; d < layer.dim; ++d) {
      const std::int64_t at = row * layer.dim + d;
      const double tolerance = tolerance::out_tolerance(relative, 0, bound.mass[static_cast<std::size_t>(d)], keys) +
                               2 * half_ulp(DType::f32, std::max(std::abs(expected[at]), std::abs(actual[at])));
      ASSERT_LE(std::abs(actual[at] - expected[at]), tolerance) << "row " << row << " element " << d;
    }
  }
}

/// One stored tensor set and what became of it.
struct Comparison {
  Tensor query, key, value, expected, out;

  Comparison(Tensor q, Tensor k, Tensor v, Tensor wanted)
      : query(std::move(q)),
        key(std::move(k)),
        value(std::move(v)),
        expected(std::move(wanted)),
        out(io::make_tensor(DType::f32, expected.shape)) {}

  void compute(const AttentionOptions& options) {
    default_engine().attention({query.view(), key.view(), value.view(), out.mutable_view()}, options);
  }

  void expect_equal(const std::vector<std::int64_t>& lengths) const {
    const std::vector<double> q = values(query), k = values(key), v = values(value);
    const std::vector<double> wanted = values(expected), got = values(out);
    const std::int64_t size = query.shape[1] * query.shape[2] * query.shape[3];
    for (std::int64_t b = 0; b < query.shape[0]; ++b) {
      SCOPED_TRACE("batch member " + std::to_string(b));
      const auto part = [&](const std::vector<double>& all) {
        return std::vector<double>(all.begin() + b * size, all.begin() + (b + 1) * size);
      };
      const Layer layer{part(q), part(k), part(v), query.shape[1], query.shape[2], query.shape[3]};
      expect_close(layer, wanted.data() + b * size, got.data() + b * size, lengths[static_cast<std::size_t>(b)]);
    }
  }
};

class MiniLm : public testing::TestWithParam<const char*> {
 protected:
  /// Runs a body that skips, visibly, what the backend does not take.
  template <typename F>
  void on_backend(F body) {
    AttentionOptions options;
    options.backend = GetParam();
    try {
      body(options);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unsupported || GetParam() == std::string("naive")) throw;
      GTEST_SKIP() << error.what();
    }
  }
};

TEST_P(MiniLm, OneSentence) {
  on_backend([](const AttentionOptions& options) {
    Comparison layer(read("q.npy"), read("k.npy"), read("v.npy"), read("expected.npy"));
    layer.compute(options);
    layer.expect_equal({13});
  });
}

TEST_P(MiniLm, WeightsOfEveryLayer) {
  on_backend([](AttentionOptions options) {
    for (int number = 0; number < 6; ++number) {
      SCOPED_TRACE("layer " + std::to_string(number));
      const std::string name = "the-cat-sat.safetensors:layer" + std::to_string(number) + ".";
      const Tensor expected = batch_of_one(read(name + "weights"));
      Tensor weights = io::make_tensor(DType::f32, expected.shape);
      const Tensor value = batch_of_one(read(name + "v"));
      Comparison layer(batch_of_one(read(name + "q")), batch_of_one(read(name + "k")), value, value);
      options.weights = weights.mutable_view();
      layer.compute(options);
      const Layer plain{values(layer.query), values(layer.key), values(layer.value), 12, 13, 32};
      const std::vector<double> wanted = values(expected), got = values(weights);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i / 13);
        const double relative = tolerance::relative_tolerance(32, plain.row(row / 13, row % 13, 13).amplitude);
        const double tolerance = tolerance::weight_tolerance(relative, wanted[i]) + 2 * half_ulp(DType::f32, wanted[i]);
        ASSERT_NEAR(got[i], wanted[i], tolerance) << "row " << row << " key " << i % 13;
      }
    }
  });
}

std::vector<std::int64_t> stored_lengths(const Tensor& lengths) {
  const auto* first = lengths.view().as<std::int64_t>();
  return {first, first + lengths.shape[0]};
}

TEST_P(MiniLm, PaddedBatchByKeyLengths) {
  on_backend([](AttentionOptions options) {
    const std::string file = "batch-padded.safetensors:";
    const Tensor lengths = read(file + "lengths");
    Comparison batch(read(file + "q"), read(file + "k"), read(file + "v"), read(file + "context"));
    options.key_lengths = lengths.view();
    batch.compute(options);
    batch.expect_equal(stored_lengths(lengths));
  });
}

TEST_P(MiniLm, PaddedBatchByBoolMask) {
  on_backend([](AttentionOptions options) {
    const std::string file = "batch-padded.safetensors:";
    Tensor mask = read(file + "key_padding_mask");  // u8, [sentence, key]
    mask.dtype = DType::boolean;
    mask.shape = {mask.shape[0], 1, 1, mask.shape[1]};
    Comparison batch(read(file + "q"), read(file + "k"), read(file + "v"), read(file + "context"));
    options.attn_mask = mask.view();
    batch.compute(options);
    batch.expect_equal(stored_lengths(read(file + "lengths")));
  });
}

TEST_P(MiniLm, LongTextInFloat16) {
  on_backend([](const AttentionOptions& options) {
    const std::string file = "long.safetensors:";
    Comparison text(read(file + "q"), read(file + "k"), read(file + "v"), read(file + "context"));
    text.compute(options);
    text.expect_equal({510});
  });
}

INSTANTIATE_TEST_SUITE_P(Backends, MiniLm, testing::Values("naive", "simd", "tiled"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace attune
