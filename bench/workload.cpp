#include "bench/workload.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace attune::bench {
namespace {

/// The values' bits in the dtype, one after the other.
std::vector<std::byte> encode(const std::vector<float>& values, DType dtype) {
  std::vector<std::byte> result(values.size() * size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    if (dtype == DType::f32) {
      std::memcpy(&result[4 * i], &values[i], 4);
    } else {
      const std::uint16_t bits = dtype == DType::bf16 ? to_bfloat16(value).bits : to_float16(value).bits;
      std::memcpy(&result[2 * i], &bits, 2);
    }
  }
  return result;
}

/// Random values, drawn once and repeated: drawing 10⁸ of them would take longer than what is measured. The count is
/// prime, so that rows of any length differ.
void fill(std::span<std::byte> bytes, DType dtype, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::normal_distribution<float> distribution;
  std::vector<float> values(std::min<std::size_t>(bytes.size() / size_of(dtype), 262139));
  for (float& x : values) x = distribution(bits);
  const std::vector<std::byte> drawn = encode(values, dtype);
  for (std::size_t at = 0; at < bytes.size(); at += drawn.size())
    std::memcpy(&bytes[at], drawn.data(), std::min(drawn.size(), bytes.size() - at));
}

TensorLayout layout(const Shape& shape, std::int64_t heads, std::int64_t length) {
  TensorLayout result =
      shape.bshd ? bshd(shape.batch, length, heads, shape.head_dim) : bhsd(shape.batch, heads, length, shape.head_dim);
  result.dtype = shape.dtype;
  return result;
}

double element(const TensorLayout& layout, const void* data, std::int64_t at) {
  if (layout.dtype == DType::f32) return static_cast<double>(static_cast<const float*>(data)[at]);
  if (layout.dtype == DType::bf16) return static_cast<double>(to_float(static_cast<const bfloat16*>(data)[at]));
  return static_cast<double>(to_float(static_cast<const float16*>(data)[at]));
}

/// Rows `first` … first + count − 1 of one head, as doubles in a row.
std::vector<double> widen(const TensorLayout& layout, const void* data, std::int64_t batch, std::int64_t head,
                          std::int64_t first, std::int64_t count) {
  const std::int64_t dim = layout.shape[3];
  const std::int64_t start = batch * layout.strides[0] + head * layout.strides[1];
  std::vector<double> result;
  result.reserve(static_cast<std::size_t>(count * dim));
  for (std::int64_t i = first; i < first + count; ++i)
    for (std::int64_t d = 0; d < dim; ++d) result.push_back(element(layout, data, start + i * layout.strides[2] + d));
  return result;
}

/// What a right result may be off by, over the largest element of its row. Inputs are normal, so an output is a sum of
/// weights times values of either sign, and roundings of weights add up like the sum itself: six standard deviations
/// of a rounding of 2⁻⁹ to bf16 are 2⁻⁷ of it, and f16 rounds the output alone, by 2⁻¹². In f32 some hundred roundings
/// of 2⁻²⁴. A wrong kernel is off by far more; the exact tolerances are the conformance suite's business.
double tolerance(DType dtype) { return dtype == DType::f32 ? 1e-4 : dtype == DType::bf16 ? 0x1p-7 : 0x1p-10; }

}  // namespace

Workload::Workload(const Shape& shape) : shape_(shape) {
  const std::size_t row = static_cast<std::size_t>(shape.head_dim) * size_of(shape.dtype);
  const std::size_t queries = static_cast<std::size_t>(shape.batch * shape.heads * shape.queries) * row;
  const std::size_t keys = static_cast<std::size_t>(shape.batch * shape.kv_heads * shape.keys) * row;
  query_ = AlignedBytes(queries);
  key_value_ = AlignedBytes(2 * keys);
  out_ = AlignedBytes(queries);
  fill(query_.span(), shape.dtype, 1);
  fill(key_value_.span().first(keys), shape.dtype, 2);
  fill(key_value_.span().last(keys), shape.dtype, 3);
  tensors_.query = {layout(shape, shape.heads, shape.queries), query_.data()};
  tensors_.key = {layout(shape, shape.kv_heads, shape.keys), key_value_.data()};
  tensors_.value = {layout(shape, shape.kv_heads, shape.keys), key_value_.data() + keys};
  static_cast<TensorLayout&>(tensors_.out) = tensors_.query;
  tensors_.out.data = out_.data();
  options_.causal = shape.causal;
  description_ = describe(tensors_, options_);
  spoil();
}

void Workload::spoil() { std::memset(out_.data(), 0xff, out_.span().size()); }

Difference Workload::check(Engine& engine, double flops) const {
  const std::int64_t rows = shape_.batch * shape_.heads * shape_.queries;
  const double flops_of_row = 4.0 * static_cast<double>(shape_.keys * shape_.head_dim);
  const std::int64_t affordable = std::clamp<std::int64_t>(static_cast<std::int64_t>(flops / flops_of_row), 8, 256);
  const std::int64_t checked = std::min(rows, affordable);
  Difference difference;
  for (std::int64_t i = 0; i < checked && difference.fault.empty(); ++i)
    compare_row(engine, checked == 1 ? 0 : i * (rows - 1) / (checked - 1), difference);
  return difference;
}

void Workload::compare_row(Engine& engine, std::int64_t row, Difference& difference) const {
  const std::int64_t query = row % shape_.queries, head = row / shape_.queries % shape_.heads;
  const std::int64_t batch = row / shape_.queries / shape_.heads, kv_head = head / (shape_.heads / shape_.kv_heads);
  const auto doubles = [&](const TensorView& view, std::int64_t of, std::int64_t first, std::int64_t count) {
    return widen(view, view.data, batch, of, first, count);
  };
  const std::vector<double> q = doubles(tensors_.query, head, query, 1);
  const std::vector<double> k = doubles(tensors_.key, kv_head, 0, shape_.keys);
  const std::vector<double> v = doubles(tensors_.value, kv_head, 0, shape_.keys);
  std::vector<double> expected(q.size());
  AttentionOptions options = options_;
  options.align = Align::at(query + shape_.keys - shape_.queries);
  options.backend = "naive";
  const TensorLayout one_row = bhsd(1, 1, 1, shape_.head_dim), rows = bhsd(1, 1, shape_.keys, shape_.head_dim);
  engine.attention(
      {view(q.data(), one_row), view(k.data(), rows), view(v.data(), rows), view(expected.data(), one_row)}, options);
  const std::vector<double> out = doubles(tensors_.out, head, query, 1);
  double largest = 0;
  for (const double x : expected) largest = std::max(largest, std::abs(x));
  for (std::int64_t d = 0; d < shape_.head_dim; ++d) {
    const double right = expected[static_cast<std::size_t>(d)], got = out[static_cast<std::size_t>(d)];
    const double off = std::abs(got - right);
    if (!(off <= tolerance(shape_.dtype) * largest))
      difference.fault = "out[" + std::to_string(batch) + ", " + std::to_string(head) + ", " + std::to_string(query) +
                         ", " + std::to_string(d) + "] is " + std::to_string(got) + ", naive says " +
                         std::to_string(right);
    difference.largest = std::max(difference.largest, off);
    difference.relative = std::max(difference.relative, off / largest);
  }
}

}  // namespace attune::bench
