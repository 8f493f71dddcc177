// Rows of the call's tensors as f32 without gaps, as the steps want them: the only place where dtypes and strides
// matter.
#pragma once

#include <cstdint>

#include <attune/tensor.hpp>

namespace attune::onednn {

/// Rows of a tensor: row i begins at element first + i · stride and has `dim` elements at the tensor's last stride.
struct Rows {
  const TensorView& tensor;
  std::int64_t first = 0;
  std::int64_t stride = 0;
  std::int64_t count = 0;
  std::int64_t dim = 0;
};

/// One row, of `dim` elements from index `first` on. The dtype is f32, f16 or bf16.
void read_row(const TensorView& tensor, std::int64_t first, std::int64_t dim, float* to) noexcept;

/// The other way round, with one rounding to the tensor's dtype.
void write_row(const float* from, std::int64_t dim, const MutableTensorView& tensor, std::int64_t first) noexcept;

/// [size][dim]: the tensor's own memory if the rows lie there like that, else a copy, padded with rows of zeros.
const float* read_block(const Rows& rows, std::int64_t size, float* copy) noexcept;

/// Is every one of these numbers finite?
bool all_finite(const float* numbers, std::int64_t count) noexcept;

/// Puts 0 for what is not finite.
void zero_what_is_not_finite(float* numbers, std::int64_t count) noexcept;

}  // namespace attune::onednn
