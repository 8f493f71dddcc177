#include "tools/attune/io/safetensors.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "tools/attune/io/elements.hpp"
#include "tools/attune/io/little_endian.hpp"
#include "tools/attune/io/safetensors_header.hpp"

namespace attune::io {
namespace {

constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t longest_header = 100'000'000;  // the format's own limit
constexpr std::size_t header_alignment = 8;
constexpr std::size_t names_listed = 12;

[[noreturn]] void refuse(const std::string& fault) { throw Error(ErrorCode::io, fault); }

std::uint64_t read_header_length(const ByteSource& source) {
  if (source.size() == 0) refuse("is empty");
  std::array<std::byte, length_bytes> head{};
  source.read(0, head);
  const std::uint64_t length = from_little_endian(head);
  if (length > longest_header || length > source.size() - length_bytes) {
    refuse("is not a .safetensors file, or cut short: its header is said to have " + std::to_string(length) +
           " bytes, the file has " + std::to_string(source.size()));
  }
  return length;
}

std::string names(const SafetensorsIndex& index) {
  if (index.tensors.empty()) return "it holds no tensors";
  std::string result = "it holds ";
  for (std::size_t i = 0; i < std::min(names_listed, index.tensors.size()); ++i) {
    result += (i == 0 ? "" : ", ") + in_quotes(index.tensors[i].name);
  }
  if (index.tensors.size() > names_listed)
    result += " and " + std::to_string(index.tensors.size() - names_listed) + " more";
  return result;
}

const StoredTensor& find(const SafetensorsIndex& index, const std::string& name) {
  if (name.empty()) {
    if (index.tensors.size() == 1) return index.tensors.front();
    throw Error(ErrorCode::invalid_argument, "needs a tensor's name after a colon; " + names(index));
  }
  for (const StoredTensor& tensor : index.tensors) {
    if (tensor.name == name) return tensor;
  }
  throw Error(ErrorCode::invalid_argument, "has no tensor " + in_quotes(name) + "; " + names(index));
}

std::string header_json(const std::string& name, DType dtype, const Shape& shape) {
  nlohmann::ordered_json entry;
  entry["dtype"] = safetensors_dtype(dtype);
  entry["shape"] = shape;
  entry["data_offsets"] = {0, byte_count(dtype, shape)};
  try {
    return nlohmann::ordered_json{{name, entry}}.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::invalid_argument, "cannot hold a tensor whose name is not UTF-8");
  }
}

}  // namespace

SafetensorsIndex read_index(const ByteSource& source) {
  const std::uint64_t length = read_header_length(source);
  std::string header(static_cast<std::size_t>(length), '\0');
  source.read(length_bytes, std::as_writable_bytes(std::span(header)));
  return parse_safetensors_header(header, length_bytes + length, source.size());
}

Tensor read_stored_tensor(const ByteSource& source, const SafetensorsIndex& index, const std::string& name) {
  const StoredTensor& stored = find(index, name);
  if (!stored.dtype) {
    refuse("tensor " + in_quotes(stored.name) + " has dtype " + in_quotes(stored.dtype_name) +
           ", which is not read here: F32, F16, BF16, F64, BOOL, U8, I32 and I64 are");
  }
  return read_elements(source, stored.offset, *stored.dtype, stored.shape);
}

std::vector<std::byte> safetensors_header(const std::string& name, DType dtype, const Shape& shape) {
  if (name == metadata_key) {
    throw Error(ErrorCode::invalid_argument, "cannot hold a tensor named " + in_quotes(name) + ", which is reserved");
  }
  std::string header = header_json(name, dtype, shape);
  header.append((header_alignment - header.size() % header_alignment) % header_alignment, ' ');

  std::vector<std::byte> bytes(length_bytes + header.size());
  to_little_endian(header.size(), std::span(bytes).first(length_bytes));
  std::transform(header.begin(), header.end(), bytes.begin() + length_bytes,
                 [](char letter) { return static_cast<std::byte>(letter); });
  return bytes;
}

}  // namespace attune::io
