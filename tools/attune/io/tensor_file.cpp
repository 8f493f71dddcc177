#include "tools/attune/io/tensor_file.hpp"

#include <new>
#include <string_view>

#include "tools/attune/io/byte_source.hpp"
#include "tools/attune/io/npy.hpp"

namespace attune::io {
namespace {

constexpr std::string_view npy_extension = ".npy";
constexpr std::string_view safetensors_extension = ".safetensors";

/// Calls read() and puts the file's name before whatever it complains about.
template <typename Read>
auto naming(const std::string& file, Read read) {
  try {
    return read();
  } catch (const Error& error) {
    throw Error(error.code(), in_quotes(file) + " " + error.what());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory, in_quotes(file) + " does not fit into memory");
  }
}

Tensor read_from(const TensorSpec& spec) {
  const FileSource source(spec.file);
  if (spec.format == Format::npy) return read_npy(source);
  return read_stored_tensor(source, read_index(source), spec.tensor);
}

std::vector<std::byte> header_of(const TensorSpec& spec, const Tensor& tensor, const std::string& default_name) {
  if (spec.format == Format::npy) return npy_header(tensor.dtype, tensor.shape);
  return safetensors_header(spec.tensor.empty() ? default_name : spec.tensor, tensor.dtype, tensor.shape);
}

}  // namespace

TensorSpec parse_spec(const std::string& spec) {
  const std::size_t extension = spec.find(std::string(safetensors_extension) + ":");
  if (extension != std::string::npos) {
    const std::size_t colon = extension + safetensors_extension.size();
    if (colon + 1 == spec.size()) {
      throw Error(ErrorCode::invalid_argument, in_quotes(spec) + " names no tensor after the colon");
    }
    return {spec.substr(0, colon), spec.substr(colon + 1), Format::safetensors};
  }
  if (spec.ends_with(safetensors_extension)) return {spec, "", Format::safetensors};
  if (spec.ends_with(npy_extension)) return {spec, "", Format::npy};
  throw Error(ErrorCode::invalid_argument,
              in_quotes(spec) + " is neither FILE.npy nor FILE.safetensors nor FILE.safetensors:TENSOR");
}

Tensor read_tensor(const std::string& spec) {
  const TensorSpec parsed = parse_spec(spec);
  return naming(parsed.file, [&] { return read_from(parsed); });
}

SafetensorsIndex read_safetensors_index(const std::string& file) {
  return naming(file, [&] { return read_index(FileSource(file)); });
}

void check_writable(const std::string& spec, DType dtype) {
  const TensorSpec parsed = parse_spec(spec);
  naming(parsed.file, [&] { return header_of(parsed, {dtype, {}, {}}, "tensor"); });
  check_destination(parsed.file);
}

PendingFile write_pending(const std::string& spec, const Tensor& tensor, const std::string& default_name) {
  const TensorSpec parsed = parse_spec(spec);
  const std::vector<std::byte> header = naming(parsed.file, [&] { return header_of(parsed, tensor, default_name); });
  PendingFile file(parsed.file);
  file.write(header);
  file.write(tensor.bytes);
  file.finish();
  return file;
}

void write_tensor(const std::string& spec, const Tensor& tensor, const std::string& default_name) {
  write_pending(spec, tensor, default_name).commit();
}

}  // namespace attune::io
