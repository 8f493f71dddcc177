#include "backends/tiles/rows.hpp"

#include <algorithm>

namespace attune::tiles {
namespace {

/// 16-bit elements are gathered in pieces of this many.
constexpr std::int64_t piece = 64;

std::int64_t last_stride(const TensorLayout& tensor) noexcept {
  return tensor.strides[static_cast<std::size_t>(tensor.rank) - 1];
}

}  // namespace

kernels::Ahead rows_ahead(const TensorView& tensor, std::int64_t batch, std::int64_t head, std::int64_t first,
                          std::int64_t count, std::int64_t begin, std::int64_t length) noexcept {
  length = std::min(length, tensor.shape[3] - begin);
  if (tensor.strides[3] != 1 || count <= 0 || length <= 0) return {};
  const auto element = static_cast<std::int64_t>(size_of(tensor.dtype));
  return {row_address(tensor, batch, head, first) + begin * element, count, tensor.strides[2] * element,
          length * element};
}

void fetch(const kernels::Ahead& ahead) noexcept {
  for (std::int64_t row = 0; row < ahead.rows; ++row)
    for (std::int64_t at = 0; at < ahead.row_bytes; at += 64) __builtin_prefetch(ahead.data + row * ahead.stride + at);
}

void gather_row(const kernels::Kernels& kernels, const TensorView& tensor, std::int64_t first, std::int64_t stride,
                std::int64_t count, float* scratch) noexcept {
  if (tensor.dtype == DType::f32) {
    const float* elements = tensor.as<float>() + first;
    for (std::int64_t i = 0; i < count; ++i) scratch[i] = elements[i * stride];
    return;
  }
  const bool bf16 = tensor.dtype == DType::bf16;
  const std::uint16_t* elements = tensor.as<std::uint16_t>() + first;
  if (stride == 1 || count == 1) return kernels.widen(elements, bf16, count, scratch);
  for (std::int64_t done = 0; done < count; done += piece) {
    std::uint16_t gathered[piece];
    const std::int64_t n = std::min(piece, count - done);
    for (std::int64_t i = 0; i < n; ++i) gathered[i] = elements[(done + i) * stride];
    kernels.widen(gathered, bf16, n, scratch + done);
  }
}

void write_row(const kernels::Kernels& kernels, const float* row, const MutableTensorView& tensor, std::int64_t first,
               std::int64_t count) noexcept {
  const std::int64_t stride = last_stride(tensor);
  if (tensor.dtype == DType::f32) {
    float* elements = tensor.as<float>() + first;
    for (std::int64_t i = 0; i < count; ++i) elements[i * stride] = row[i];
    return;
  }
  const bool bf16 = tensor.dtype == DType::bf16;
  std::uint16_t* elements = tensor.as<std::uint16_t>() + first;
  if (stride == 1) return kernels.narrow(row, bf16, count, elements);
  for (std::int64_t done = 0; done < count; done += piece) {
    std::uint16_t narrowed[piece];
    const std::int64_t n = std::min(piece, count - done);
    kernels.narrow(row + done, bf16, n, narrowed);
    for (std::int64_t i = 0; i < n; ++i) elements[(done + i) * stride] = narrowed[i];
  }
}

bool in_place(const TensorLayout& tensor, DType dtype) noexcept {
  return tensor.dtype == dtype && last_stride(tensor) == 1;
}

}  // namespace attune::tiles
