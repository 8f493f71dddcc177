// NumPy's .npy: a line of Python literals, then the elements of one array.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstddef>
#include <vector>

#include "tools/attune/io/byte_source.hpp"
#include "tools/attune/io/tensor.hpp"

namespace attune::io {

/// Versions 1 to 3, little-endian, C order, f2 f4 f8 i4 i8 u1 and bool. Throws Error(io) naming the fault.
Tensor read_npy(const ByteSource& source);

/// What stands before the elements in a version 1 file. Throws Error(invalid_argument) for bf16, which .npy
/// cannot name.
std::vector<std::byte> npy_header(DType dtype, const Shape& shape);

}  // namespace attune::io
