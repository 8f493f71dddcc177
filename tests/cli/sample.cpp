#include "tests/cli/sample.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace attune::test {
namespace {

template <typename T>
void put(io::Tensor& tensor, std::size_t i, T value) {
  std::memcpy(&tensor.bytes[i * sizeof(T)], &value, sizeof(T));
}

void put_number(io::Tensor& tensor, std::size_t i, double value) {
  const int bit = value > 0 ? 1 : 0;
  switch (tensor.dtype) {
    case DType::f32:
      return put(tensor, i, static_cast<float>(value));
    case DType::f64:
      return put(tensor, i, value);
    case DType::f16:
      return put(tensor, i, to_float16(value));
    case DType::bf16:
      return put(tensor, i, to_bfloat16(value));
    case DType::i32:
      return put<std::int32_t>(tensor, i, bit);
    case DType::i64:
      return put<std::int64_t>(tensor, i, bit);
    case DType::boolean:
    case DType::u8:
      return put(tensor, i, static_cast<std::uint8_t>(bit));
  }
}

}  // namespace

io::Tensor random_tensor(DType dtype, const io::Shape& shape, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  io::Tensor tensor = io::make_tensor(dtype, shape);
  for (std::size_t i = 0; i < static_cast<std::size_t>(io::element_count(shape)); ++i) {
    put_number(tensor, i, static_cast<double>(bits() >> 11) * 0x1p-52 - 1);
  }
  return tensor;
}

io::Tensor index_tensor(DType dtype, const std::vector<std::int64_t>& values) {
  io::Tensor tensor = io::make_tensor(dtype, {static_cast<std::int64_t>(values.size())});
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::i32) {
      put(tensor, i, static_cast<std::int32_t>(values[i]));
    } else {
      put(tensor, i, values[i]);
    }
  }
  return tensor;
}

Sample::Sample(DType dtype)
    : query_(random_tensor(dtype, {batch, heads, queries, dim}, 1)),
      key_(random_tensor(dtype, {batch, kv_heads, keys, dim}, 2)),
      value_(random_tensor(dtype, {batch, kv_heads, keys, value_dim}, 3)) {
  run_ = {"run",
          "--q",
          store("q.safetensors", query_),
          "--k",
          store("k.safetensors", key_),
          "--v",
          store("v.safetensors", value_)};
}

std::string Sample::store(const std::string& name, const io::Tensor& tensor) const {
  io::write_tensor(folder_.path(name), tensor, "tensor");
  return folder_.path(name);
}

Words Sample::run_for_results() const {
  return run_ + Words{"--out",     folder_.path("out.safetensors"),           "--lse",     folder_.path("lse.npy"),
                      "--weights", folder_.path("weights.safetensors:named"), "--backend", "naive"};
}

Results Sample::written() const {
  return {io::read_tensor(folder_.path("out.safetensors:out")), io::read_tensor(folder_.path("lse.npy")),
          io::read_tensor(folder_.path("weights.safetensors:named"))};
}

Results Sample::expected(const std::function<void(AttentionOptions&)>& set) const {
  Results results{io::make_tensor(query_.dtype, {batch, heads, queries, value_dim}),
                  io::make_tensor(DType::f32, {batch, heads, queries}),
                  io::make_tensor(DType::f32, {batch, heads, queries, keys})};
  AttentionOptions options;
  if (set) set(options);
  options.backend = "naive";
  options.lse = results.lse.mutable_view();
  options.weights = results.weights.mutable_view();
  attention(query_.view(), key_.view(), value_.view(), results.out.mutable_view(), options);
  return results;
}

void expect_same(const io::Tensor& a, const io::Tensor& b) {
  EXPECT_EQ(name(a.dtype), std::string(name(b.dtype)));
  EXPECT_EQ(io::text(a.shape), io::text(b.shape));
  EXPECT_TRUE(a.bytes == b.bytes) << "the elements differ";
}

void expect_same(const Results& a, const Results& b) {
  expect_same(a.out, b.out);
  expect_same(a.lse, b.lse);
  expect_same(a.weights, b.weights);
}

}  // namespace attune::test
