#include "tools/attune/profile/linear.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <attune/linear_attention.hpp>

#include "tests/linear/tolerance.hpp"

namespace attune::tool::profile {
namespace {

Isa isa_of(const Machine& machine, const std::string& backend, const std::string& forced) {
  if (backend == "naive") return Isa::generic;
  for (const Isa isa : machine.isas)
    if (forced == name(isa)) return isa;
  return machine.isa;
}

/// The row of every head as a tensor of its own.
template <typename View>
View row_of(View tensor, std::int64_t row) {
  using Byte = std::conditional_t<std::is_same_v<View, TensorView>, const std::byte, std::byte>;
  tensor.data =
      static_cast<Byte*>(tensor.data) + static_cast<std::size_t>(row * tensor.strides[2]) * size_of(tensor.dtype);
  tensor.shape[2] = 1;
  return tensor;
}

template <typename F>
void for_each_element(const TensorLayout& t, F f) {
  for (std::int64_t b = 0; b < t.shape[0]; ++b)
    for (std::int64_t h = 0; h < t.shape[1]; ++h)
      for (std::int64_t s = 0; s < t.shape[2]; ++s)
        for (std::int64_t d = 0; d < t.shape[3]; ++d)
          f(h, d, b * t.strides[0] + h * t.strides[1] + s * t.strides[2] + d * t.strides[3]);
}

double largest(const TensorView& tensor, double sign) {
  double found = 0;
  for_each_element(tensor, [&](std::int64_t, std::int64_t, std::int64_t at) {
    found = std::max(found, sign == 0 ? std::abs(element_of(tensor, at)) : sign * element_of(tensor, at));
  });
  return found;
}

}  // namespace

Contestant linear_contestant(const Machine& machine, const std::string& backend, const std::string& isa,
                             std::shared_ptr<Executor> executor, const Tensors& tensors, bool causal) {
  if (backend != "naive" && backend != "tiled")
    throw Error(ErrorCode::unsupported, "linear attention is another function; naive and tiled compute it");
  const auto run = [=] {
    linear_attention(tensors.query, tensors.key, tensors.value, tensors.out, {causal, {}, backend, isa},
                     executor.get());
  };
  return {isa_of(machine, backend, isa), executor, {}, run};
}

Sample linear_sample(const Tensors& tensors, bool causal) {
  // Σ w|v| / Σ w is at most the largest |v|.
  const double mass = largest(tensors.value, 0);
  const double negative = std::max(largest(tensors.query, -1), largest(tensors.key, -1));
  const attune::test::LinearTolerance tolerance(tensors.key.shape[2], tensors.key.shape[3], negative);
  std::vector<Sample::Element> elements;
  for (const std::int64_t row : sampled_rows(tensors)) {
    Tensors seen = tensors;
    if (causal) seen.key.shape[2] = seen.value.shape[2] = row + 1;
    io::Tensor out = io::make_tensor(DType::f32, {tensors.out.shape[0], tensors.out.shape[1], 1, tensors.out.shape[3]});
    linear_attention(row_of(tensors.query, row), seen.key, seen.value, out.mutable_view(), {.backend = "naive"});
    const auto* expected = out.view().as<float>();
    for_each_element(row_of(tensors.out, row), [&](std::int64_t, std::int64_t, std::int64_t at) {
      const double value = static_cast<double>(*expected++);
      elements.push_back(
          {row * tensors.out.strides[2] + at, value,
           tolerance.of_out() * mass + rounding_of(DType::f32, value) + rounding_of(tensors.out.dtype, value)});
    });
  }
  return Sample(std::move(elements));
}

double linear_flops(const Setting& s, Lengths lengths) {
  const double tokens = static_cast<double>(s.kv_heads * lengths.keys + s.heads * lengths.queries);
  return 2 * static_cast<double>(s.batch) * tokens * static_cast<double>(s.head_dim * (s.head_dim + 1));
}

double linear_estimate(const Setting& s, Lengths lengths, const std::string& backend) {
  if (backend != "naive") return linear_flops(s, lengths) / 1e10;
  constexpr double seconds_of_feature = 1e-8;
  return seconds_of_feature * static_cast<double>(s.batch * s.heads * s.head_dim) *
         static_cast<double>(lengths.queries) * static_cast<double>(lengths.keys);
}

}  // namespace attune::tool::profile
