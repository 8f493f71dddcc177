// Arithmetic on tensor layouts: how many elements, which bytes, and whether two tensors share any.
#pragma once

#include <cstdint>
#include <optional>

#include <attune/tensor.hpp>

namespace attune::detail {

bool has_elements(const TensorLayout& layout) noexcept;

/// Is the product of the sizes (a size of 0 counted as 1) small enough that backends may multiply it by the
/// size of an element, of the widest accumulator included, without overflow?
bool count_fits(const TensorLayout& layout) noexcept;

/// The bytes from the first to behind the last element in memory; empty for a tensor without elements.
struct ByteRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

/// Nothing where the strides lead out of the address space.
std::optional<ByteRange> byte_range(const TensorView& tensor) noexcept;

/// Might two indices name the same element? Sorted by magnitude, each stride must reach past everything the
/// smaller ones span: true of every permuted contiguous layout, with gaps or without.
bool overlaps_itself(const TensorLayout& layout) noexcept;

/// Might the tensors share an element? Byte ranges decide, except between slots of one buffer (equal element
/// size and strides, as query, key and value packed in one tensor), where the answer is exact.
/// Both byte ranges must exist.
bool overlap(const TensorView& a, const TensorView& b) noexcept;

/// The same tensor with leading axes of one element, up to rank 4.
TensorLayout with_leading_axes(const TensorLayout& layout) noexcept;

}  // namespace attune::detail
