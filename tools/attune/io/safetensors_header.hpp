// The JSON header of a .safetensors file:
//   {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/attune/io/safetensors.hpp"

namespace attune::io {

/// The one key of a header that is not a tensor's name.
inline constexpr const char* metadata_key = "__metadata__";

/// What the header says, its offsets made absolute: elements begin at `data_begin` and end with the file, at
/// `file_size`. Throws Error(io) naming the fault.
SafetensorsIndex parse_safetensors_header(std::string_view header, std::uint64_t data_begin, std::uint64_t file_size);

/// "F32" for f32 and so on: every dtype has a name here.
std::string safetensors_dtype(DType dtype);

}  // namespace attune::io
