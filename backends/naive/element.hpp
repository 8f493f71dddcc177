// One element of a tensor as a double, and back with one rounding.
#pragma once

#include <cstdint>

#include <attune/tensor.hpp>

namespace attune::naive {

inline double load(const TensorView& tensor, std::int64_t at) noexcept {
  switch (tensor.dtype) {
    case DType::f32:
      return static_cast<double>(tensor.as<float>()[at]);
    case DType::f16:
      return static_cast<double>(to_float(tensor.as<float16>()[at]));
    case DType::bf16:
      return static_cast<double>(to_float(tensor.as<bfloat16>()[at]));
    case DType::f64:
      return tensor.as<double>()[at];
    default:
      return 0;  // no other type reaches a backend
  }
}

inline void store(const MutableTensorView& tensor, std::int64_t at, double value) noexcept {
  switch (tensor.dtype) {
    case DType::f32:
      tensor.as<float>()[at] = static_cast<float>(value);
      break;
    case DType::f16:
      tensor.as<float16>()[at] = to_float16(value);
      break;
    case DType::bf16:
      tensor.as<bfloat16>()[at] = to_bfloat16(value);
      break;
    case DType::f64:
      tensor.as<double>()[at] = value;
      break;
    default:
      break;
  }
}

}  // namespace attune::naive
