#include "backends/onednn/rows.hpp"

#include <algorithm>
#include <cmath>

#include "backends/naive/element.hpp"

namespace attune::onednn {
namespace {

float as_float(float x) noexcept { return x; }
float as_float(float16 x) noexcept { return to_float(x); }
float as_float(bfloat16 x) noexcept { return to_float(x); }

template <typename T>
void convert(const T* from, std::int64_t stride, std::int64_t dim, float* to) noexcept {
  if (stride == 1) {  // a loop of its own: the compiler makes vectors of it
    for (std::int64_t d = 0; d < dim; ++d) to[d] = as_float(from[d]);
  } else {
    for (std::int64_t d = 0; d < dim; ++d) to[d] = as_float(from[d * stride]);
  }
}

}  // namespace

void read_row(const TensorView& tensor, std::int64_t first, std::int64_t dim, float* to) noexcept {
  const std::int64_t stride = tensor.strides[3];
  if (tensor.dtype == DType::f32) convert(tensor.as<float>() + first, stride, dim, to);
  if (tensor.dtype == DType::f16) convert(tensor.as<float16>() + first, stride, dim, to);
  if (tensor.dtype == DType::bf16) convert(tensor.as<bfloat16>() + first, stride, dim, to);
}

void write_row(const float* from, std::int64_t dim, const MutableTensorView& tensor, std::int64_t first) noexcept {
  const std::int64_t stride = tensor.strides[3];
  if (tensor.dtype == DType::f32 && stride == 1) {
    std::copy(from, from + dim, tensor.as<float>() + first);
    return;
  }
  for (std::int64_t d = 0; d < dim; ++d) naive::store(tensor, first + d * stride, static_cast<double>(from[d]));
}

const float* read_block(const Rows& rows, std::int64_t size, float* copy) noexcept {
  const TensorView& tensor = rows.tensor;
  const bool in_place = tensor.dtype == DType::f32 && tensor.strides[3] == 1 && rows.stride == rows.dim;
  if (in_place && rows.count == size) return tensor.as<float>() + rows.first;
  for (std::int64_t i = 0; i < rows.count; ++i)
    read_row(tensor, rows.first + i * rows.stride, rows.dim, copy + i * rows.dim);
  std::fill(copy + rows.count * rows.dim, copy + size * rows.dim, 0.0f);
  return copy;
}

bool all_finite(const float* numbers, std::int64_t count) noexcept {
  float sum = 0;  // x · 0 is NaN where x is not finite, and a sum keeps it
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += numbers[i] * 0.0f;
  return sum == 0;
}

void zero_what_is_not_finite(float* numbers, std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < count; ++i)
    if (!std::isfinite(numbers[i])) numbers[i] = 0;
}

}  // namespace attune::onednn
