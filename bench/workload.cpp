#include "bench/workload.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace attune::bench {
namespace {

std::vector<float> normal(std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> result(static_cast<std::size_t>(count));
  for (float& x : result) x = distribution(bits);
  return result;
}

std::vector<double> widen(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// Rows first … first + count − 1 of the sequence axis.
template <typename View>
View rows(View view, std::int64_t first, std::int64_t count) {
  view.shape[2] = count;
  view.data = view.template as<double>() + first * view.strides[2];
  return view;
}

}  // namespace

Workload::Workload(const Shape& shape) : shape_(shape) {
  const std::int64_t q = shape.batch * shape.heads * shape.queries * shape.head_dim;
  const std::int64_t k = shape.batch * shape.kv_heads * shape.keys * shape.head_dim;
  query_ = normal(q, 1);
  key_ = normal(k, 2);
  value_ = normal(k, 3);
  out_.assign(static_cast<std::size_t>(q), std::numeric_limits<float>::quiet_NaN());
  const TensorLayout queries = bhsd(shape.batch, shape.heads, shape.queries, shape.head_dim);
  const TensorLayout keys = bhsd(shape.batch, shape.kv_heads, shape.keys, shape.head_dim);
  tensors_.query = view(query_.data(), queries);
  tensors_.key = view(key_.data(), keys);
  tensors_.value = view(value_.data(), keys);
  tensors_.out = view(out_.data(), queries);
  options_.causal = shape.causal;
  description_ = describe(tensors_, options_);
}

std::string Workload::check(Engine& engine) const {
  const std::int64_t count = std::min<std::int64_t>(shape_.queries, 3);
  std::string fault = check_rows(engine, 0, count);
  if (fault.empty()) fault = check_rows(engine, shape_.queries - count, count);
  return fault;
}

std::string Workload::check_rows(Engine& engine, std::int64_t first, std::int64_t count) const {
  const std::vector<double> query = widen(query_), key = widen(key_), value = widen(value_);
  std::vector<double> expected(query.size());
  Tensors tensors;
  tensors.query = rows(view(query.data(), tensors_.query), first, count);
  tensors.key = view(key.data(), tensors_.key);
  tensors.value = view(value.data(), tensors_.value);
  tensors.out = rows(view(expected.data(), tensors_.out), first, count);
  AttentionOptions options = options_;
  options.align = Align::at(first + shape_.keys - shape_.queries);
  options.backend = "naive";
  engine.attention(tensors, options);

  // Normal inputs: scores of a few units, so a few hundred roundings of 2⁻²⁴ of values of a few units; a wrong kernel
  // is off by far more. The exact tolerances are the conformance suite's business.
  constexpr double tolerance = 1e-4;
  for (std::int64_t row = 0; row < shape_.batch * shape_.heads; ++row)
    for (std::int64_t i = first * shape_.head_dim; i < (first + count) * shape_.head_dim; ++i) {
      const auto at = static_cast<std::size_t>(row * shape_.queries * shape_.head_dim + i);
      if (!(std::abs(static_cast<double>(out_[at]) - expected[at]) <= tolerance))
        return "element " + std::to_string(at) + " is " + std::to_string(out_[at]) + ", naive says " +
               std::to_string(expected[at]);
    }
  return {};
}

}  // namespace attune::bench
