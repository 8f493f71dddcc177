// Elements of any float tensor as doubles, to compare results of different types.
#pragma once

#include <attune/tensor.hpp>

#include <cstdint>
#include <vector>

#include "tools/attune/io/tensor.hpp"

namespace attune::test {

inline double element(const TensorView& tensor, std::int64_t at) {
  switch (tensor.dtype) {
    case DType::f16:
      return static_cast<double>(to_float(tensor.as<float16>()[at]));
    case DType::bf16:
      return static_cast<double>(to_float(tensor.as<bfloat16>()[at]));
    case DType::f64:
      return tensor.as<double>()[at];
    default:
      return static_cast<double>(tensor.as<float>()[at]);
  }
}

/// In row-major order.
inline std::vector<double> values(const io::Tensor& tensor) {
  const TensorView view = tensor.view();
  std::vector<double> result(static_cast<std::size_t>(io::element_count(tensor.shape)));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = element(view, static_cast<std::int64_t>(i));
  return result;
}

}  // namespace attune::test
