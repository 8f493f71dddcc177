// The part that all formats end with: a tensor's elements, row by row.
#pragma once

#include <cstdint>

#include "tools/attune/io/byte_source.hpp"
#include "tools/attune/io/tensor.hpp"

namespace attune::io {

/// The caller has checked that the source backs them. Throws Error(io) for a bool that is neither 0 nor 1.
Tensor read_elements(const ByteSource& source, std::uint64_t offset, DType dtype, const Shape& shape);

}  // namespace attune::io
