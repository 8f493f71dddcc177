// Tensors in files, .npy and .safetensors: what a command calls. Whatever is wrong with a file ends in an
// Error of one line that names the file and the fault; start reading at read_tensor().
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/attune/io/pending_file.hpp"
#include "tools/attune/io/safetensors.hpp"
#include "tools/attune/io/tensor.hpp"

namespace attune::io {

enum class Format { npy, safetensors };

/// FILE or FILE:TENSOR. Only what follows ".safetensors" is taken as a tensor's name, so that other paths may
/// hold colons.
struct TensorSpec {
  std::string file;
  std::string tensor;  // empty: none was named
  Format format = Format::npy;
};

/// Throws Error(invalid_argument) for an extension that is neither .npy nor .safetensors.
TensorSpec parse_spec(const std::string& spec);

/// A whole .npy file, or one tensor of a .safetensors file; which one need not be named if there is only one.
/// Throws Error(io) for a file that cannot be read or is malformed, Error(invalid_argument) for a tensor that
/// is not there, Error(out_of_memory).
Tensor read_tensor(const std::string& spec);

/// The tensors and the `__metadata__` of a .safetensors file, without reading any elements.
SafetensorsIndex read_safetensors_index(const std::string& file);

/// Can such a tensor be written there, as far as can be told without writing? Throws Error(invalid_argument)
/// for an unknown extension or a dtype that the format lacks, WriteError for a directory that is missing or
/// may not be written to.
void check_writable(const std::string& spec, DType dtype);

/// The tensor, written whole beside its destination; commit() on the result moves it there. In .safetensors it
/// gets the name in the spec, or else `default_name`. Throws as check_writable(), and WriteError.
PendingFile write_pending(const std::string& spec, const Tensor& tensor, const std::string& default_name);

/// write_pending() and commit() in one.
void write_tensor(const std::string& spec, const Tensor& tensor, const std::string& default_name);

}  // namespace attune::io
