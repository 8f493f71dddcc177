#include "tools/attune/profile/workload.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <attune/tolerance.hpp>

namespace attune::tool::profile {
namespace {

DType dtype_of(const std::string& text) {
  for (const DType dtype : {DType::f16, DType::bf16})
    if (text == attune::name(dtype)) return dtype;
  return DType::f32;
}

void store(io::Tensor& tensor, std::int64_t at, float value) {
  const auto put = [&](auto element) {
    std::memcpy(tensor.bytes.data() + static_cast<std::size_t>(at) * sizeof element, &element, sizeof element);
  };
  if (tensor.dtype == DType::f32) put(value);
  if (tensor.dtype == DType::f16) put(to_float16(value));
  if (tensor.dtype == DType::bf16) put(to_bfloat16(value));
}

double load(const TensorLayout& layout, const void* data, std::int64_t at) {
  if (layout.dtype == DType::f16) return to_float(static_cast<const float16*>(data)[at]);
  if (layout.dtype == DType::bf16) return to_float(static_cast<const bfloat16*>(data)[at]);
  return static_cast<const float*>(data)[at];
}

/// Close to normal (mean 0, variance 1): the sum of four uniform numbers, cut out of one splitmix64 step (Steele, Lea
/// and Flood, 2014). Millions of them must not take longer than what is measured.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  float operator()() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    const std::uint64_t sum = (z & 0xffffu) + ((z >> 16) & 0xffffu) + ((z >> 32) & 0xffffu) + (z >> 48);
    constexpr float deviation = 37837.2f;  // of the sum: 65536 · √(4/12)
    return (static_cast<float>(sum) - 131070.0f) / deviation;
  }

 private:
  std::uint64_t state_;
};

io::Tensor random_tensor(DType dtype, const io::Shape& shape, std::uint64_t seed) {
  io::Tensor tensor = io::make_tensor(dtype, shape);
  Random random(seed);
  for (std::int64_t i = 0; i < io::element_count(shape); ++i) store(tensor, i, random());
  return tensor;
}

/// One query row of one head, everything the tolerance needs.
struct Row {
  const Tensors& tensors;
  std::int64_t batch, head, row;
  const float* weights;  // of the keys

  std::int64_t kv_head() const { return head / (tensors.query.shape[1] / tensors.key.shape[1]); }
  std::int64_t at(const TensorLayout& t, std::int64_t h, std::int64_t s) const {
    return batch * t.strides[0] + h * t.strides[1] + s * t.strides[2];
  }

  /// An upper bound of A: the largest |scale| · Σ|q·k| of the attended keys, once for the scores and once for the
  /// row's maximum, which cannot be larger.
  double amplitude() const {
    double largest = 0;
    const std::int64_t dim = tensors.query.shape[3], q = at(tensors.query, head, row);
    for (std::int64_t j = 0; j < tensors.key.shape[2]; ++j) {
      if (weights[j] == 0) continue;
      const std::int64_t k = at(tensors.key, kv_head(), j);
      double sum = 0;
      for (std::int64_t d = 0; d < dim; ++d)
        sum += std::abs(load(tensors.query, tensors.query.data, q + d) * load(tensors.key, tensors.key.data, k + d));
      largest = std::max(largest, sum);
    }
    return 2 * largest / std::sqrt(static_cast<double>(dim));
  }

  /// Σ w|v| of each column.
  std::vector<double> mass() const {
    std::vector<double> sums(static_cast<std::size_t>(tensors.value.shape[3]), 0.0);
    for (std::int64_t j = 0; j < tensors.value.shape[2]; ++j) {
      if (weights[j] == 0) continue;
      std::int64_t v = at(tensors.value, kv_head(), j);
      for (double& sum : sums)
        sum += static_cast<double>(weights[j]) * std::abs(load(tensors.value, tensors.value.data, v++));
    }
    return sums;
  }
};

}  // namespace

Lengths lengths_of(const Setting& setting, std::int64_t length) {
  switch (setting.mode) {
    case Mode::prefill:
      return {length, length};
    case Mode::decode:
      return {1, length};
    case Mode::cross:
      return {setting.queries, length};
  }
  return {};
}

Tensors tensors_without_memory(const Setting& s, std::int64_t length) {
  const Lengths lengths = lengths_of(s, length);
  TensorLayout query = bhsd(s.batch, s.heads, lengths.queries, s.head_dim);
  TensorLayout key = bhsd(s.batch, s.kv_heads, lengths.keys, s.head_dim);
  query.dtype = key.dtype = dtype_of(s.dtype);
  return {{query, nullptr}, {key, nullptr}, {key, nullptr}, {query, nullptr}};
}

double tensor_bytes(const Setting& s, std::int64_t length) {
  const Lengths lengths = lengths_of(s, length);
  const double rows = 2.0 * static_cast<double>(s.heads) * static_cast<double>(lengths.queries) +
                      2.0 * static_cast<double>(s.kv_heads) * static_cast<double>(lengths.keys);
  return static_cast<double>(s.batch) * rows * static_cast<double>(s.head_dim) *
         static_cast<double>(size_of(dtype_of(s.dtype)));
}

Workload::Workload(const Setting& s, std::int64_t length) {
  const Lengths lengths = lengths_of(s, length);
  const DType dtype = dtype_of(s.dtype);
  query_ = random_tensor(dtype, {s.batch, s.heads, lengths.queries, s.head_dim}, 1);
  key_ = random_tensor(dtype, {s.batch, s.kv_heads, lengths.keys, s.head_dim}, 2);
  value_ = random_tensor(dtype, {s.batch, s.kv_heads, lengths.keys, s.head_dim}, 3);
  out_ = io::make_tensor(dtype, query_.shape);
}

Tensors Workload::tensors() { return {query_.view(), key_.view(), value_.view(), out_.mutable_view()}; }

void Workload::forget_result() {
  std::memset(out_.bytes.data(), 0xff, out_.bytes.size());  // all bits set: NaN in every dtype
}

double rounding_of(DType dtype, double value) {
  if (dtype == DType::bf16) return 0x1p-8 * std::abs(value);
  if (dtype == DType::f16) return 0x1p-11 * std::abs(value) + 0x1p-25;
  return 0x1p-24 * std::abs(value);
}

double element_of(const TensorView& tensor, std::int64_t at) { return load(tensor, tensor.data, at); }

std::vector<std::int64_t> sampled_rows(const Tensors& tensors) {
  const std::int64_t last = tensors.query.shape[2] - 1;
  const std::set<std::int64_t> rows{0, last / 3, last / 2, last * 7 / 9, last};
  return {rows.begin(), rows.end()};
}

Sample::Sample(Engine& engine, const Tensors& tensors, const VariantCall& variant) {
  for (const std::int64_t row : sampled_rows(tensors)) add_row(engine, tensors, variant, row);
}

void Sample::add_row(Engine& engine, const Tensors& tensors, const VariantCall& variant, std::int64_t row) {
  const std::int64_t batch = tensors.query.shape[0], heads = tensors.query.shape[1], keys = tensors.key.shape[2];
  const std::int64_t dim = tensors.out.shape[3];
  Tensors one = tensors;
  const auto* first = static_cast<const std::byte*>(tensors.query.data);
  one.query.data = first + static_cast<std::size_t>(row * tensors.query.strides[2]) * size_of(tensors.query.dtype);
  one.query.shape[2] = 1;
  io::Tensor out = io::make_tensor(DType::f32, {batch, heads, 1, dim});
  io::Tensor weights = io::make_tensor(DType::f32, {batch, heads, 1, keys});
  one.out = out.mutable_view();
  AttentionOptions options = variant.options_of_row(row);
  options.weights = weights.mutable_view();
  options.backend = "naive";
  engine.attention(one, options);

  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t h = 0; h < heads; ++h) {
      const std::int64_t index = b * heads + h;
      const Row sampled{tensors, b, h, row, weights.view().as<float>() + index * keys};
      const double relative = tolerance::relative_tolerance(dim, sampled.amplitude());
      const double weight_rounding = tolerance::weight_rounding(tensors.value.dtype);
      const std::vector<double> mass = sampled.mass();
      for (std::int64_t d = 0; d < dim; ++d) {
        const double expected = static_cast<double>(out.view().as<float>()[index * dim + d]);
        elements_.push_back(
            {sampled.at(tensors.out, h, row) + d, expected,
             tolerance::out_tolerance(relative, weight_rounding, mass[static_cast<std::size_t>(d)], keys) +
                 rounding_of(DType::f32, expected) + rounding_of(tensors.out.dtype, expected)});
      }
    }
}

std::string Sample::fault_of(const MutableTensorView& out) const {
  for (const Element& element : elements_) {
    const double got = load(out, out.data, element.at);
    if (!(std::abs(got - element.expected) <= element.tolerance))
      return fmt::format("wrong result: element {} of out is {:.6g}, naive says {:.6g} (allowed: {:.1e})", element.at,
                         got, element.expected, element.tolerance);
  }
  return {};
}

}  // namespace attune::tool::profile
