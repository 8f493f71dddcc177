// Hugging Face's .safetensors: the length of a JSON header, the header, then the elements of its tensors
// without a gap. Format: https://huggingface.co/docs/safetensors
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/attune/io/byte_source.hpp"
#include "tools/attune/io/tensor.hpp"

namespace attune::io {

/// One entry of the header.
struct StoredTensor {
  std::string name;
  std::string dtype_name;      // as the file has it, for example "BF16"
  std::optional<DType> dtype;  // none: a type that is not read here
  Shape shape;
  std::uint64_t offset = 0;  // from the start of the file
  std::uint64_t bytes = 0;
};

struct SafetensorsIndex {
  std::vector<StoredTensor> tensors;            // in the order of their elements
  std::map<std::string, std::string> metadata;  // `__metadata__`
};

/// Reads and checks the header whole: throws Error(io) naming the first fault, in a tensor that nobody asks
/// for as well.
SafetensorsIndex read_index(const ByteSource& source);

/// A tensor by name; an empty name stands for the only one. Throws Error(invalid_argument) listing the names
/// there are, and Error(io) for a type that is not read here.
Tensor read_stored_tensor(const ByteSource& source, const SafetensorsIndex& index, const std::string& name);

/// What stands before the elements in a file of one tensor. Throws Error(invalid_argument) for a name that the
/// format cannot hold.
std::vector<std::byte> safetensors_header(const std::string& name, DType dtype, const Shape& shape);

}  // namespace attune::io
