// The line of Python literals at the head of a .npy file:
//   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
#pragma once

#include <string>
#include <string_view>

#include "tools/attune/io/tensor.hpp"

namespace attune::io {

/// What a header says, when it says something that can be read here.
struct NpyHeader {
  DType dtype = DType::f32;
  Shape shape;
};

/// Throws Error(io) naming the fault.
NpyHeader parse_npy_header(std::string_view header);

/// "<f4" for f32 and so on. Throws Error(invalid_argument) for bf16.
std::string npy_descr(DType dtype);

}  // namespace attune::io
