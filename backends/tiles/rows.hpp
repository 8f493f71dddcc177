// Rows of tensors as contiguous f32, whatever their dtype and strides: the only place where those matter.
#pragma once

#include <cstddef>
#include <cstdint>

#include <attune/tensor.hpp>

#include "backends/kernels/kernels.hpp"

namespace attune::tiles {

inline constexpr int max_lanes = 64;

/// Index of an element of a rank 4 tensor, in elements.
inline std::int64_t index_of(const TensorLayout& tensor, std::int64_t i, std::int64_t j, std::int64_t k) noexcept {
  return i * tensor.strides[0] + j * tensor.strides[1] + k * tensor.strides[2];
}

/// Where a row of a head begins.
inline const std::byte* row_address(const TensorView& tensor, std::int64_t batch, std::int64_t head,
                                    std::int64_t row) noexcept {
  return static_cast<const std::byte*>(tensor.data) +
         index_of(tensor, batch, head, row) * static_cast<std::int64_t>(size_of(tensor.dtype));
}

/// `count` elements from index `first` on, at `stride`, as f32 in `scratch`. The dtype is f32, f16 or bf16.
void gather_row(const kernels::Kernels& kernels, const TensorView& tensor, std::int64_t first, std::int64_t stride,
                std::int64_t count, float* scratch) noexcept;

/// The same, or the tensor's own memory if that is contiguous f32.
inline const float* read_row(const kernels::Kernels& kernels, const TensorView& tensor, std::int64_t first,
                             std::int64_t stride, std::int64_t count, float* scratch) noexcept {
  if (tensor.dtype == DType::f32 && (stride == 1 || count == 1)) return tensor.as<float>() + first;
  gather_row(kernels, tensor, first, stride, count, scratch);
  return scratch;
}

/// Elements begin … begin + length − 1, as far as they exist, of rows first … first + count − 1 of a head, for a kernel
/// to fetch. Nothing where elements do not follow each other: they are gathered one by one anyway.
kernels::Ahead rows_ahead(const TensorView& tensor, std::int64_t batch, std::int64_t head, std::int64_t first,
                          std::int64_t count, std::int64_t begin, std::int64_t length) noexcept;
inline kernels::Ahead rows_ahead(const TensorView& tensor, std::int64_t batch, std::int64_t head, std::int64_t first,
                                 std::int64_t count) noexcept {
  return rows_ahead(tensor, batch, head, first, count, 0, tensor.shape[3]);
}

/// Asks for all of them at once.
void fetch(const kernels::Ahead& ahead) noexcept;

/// `count` floats as elements of the tensor's last axis, from element `first` on. Rounds once to the tensor's dtype.
void write_row(const kernels::Kernels& kernels, const float* row, const MutableTensorView& tensor, std::int64_t first,
               std::int64_t count) noexcept;

/// Where rows wait on their way to a tensor that they cannot be written into directly: one of `stride` floats per lane.
struct RowScratch {
  float* rows = nullptr;
  std::int64_t stride = 0;
};

/// Can rows of the tensor's last axis be read and written where they lie, as numbers of that dtype?
bool in_place(const TensorLayout& tensor, DType dtype) noexcept;

/// write(rows) fills `count` rows of `dim` floats and tells whether all were finite. They go to the tensor's last axis,
/// lane's row from element first[lane] on, rounded once to its dtype.
template <typename Write>
bool write_rows(const kernels::Kernels& kernels, std::int64_t dim, const MutableTensorView& tensor,
                const std::int64_t* first, int count, const RowScratch& scratch, Write write) noexcept {
  const bool directly = in_place(tensor, DType::f32);
  float* rows[max_lanes] = {};
  for (int lane = 0; lane < count; ++lane)
    rows[lane] = directly ? tensor.as<float>() + first[lane] : scratch.rows + lane * scratch.stride;
  const bool finite = write(rows);
  if (directly) return finite;
  for (int lane = 0; lane < count; ++lane) write_row(kernels, rows[lane], tensor, first[lane], dim);
  return finite;
}

}  // namespace attune::tiles
