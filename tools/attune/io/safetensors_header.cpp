#include "tools/attune/io/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>
#include <unordered_set>

#include <nlohmann/json.hpp>

namespace attune::io {
namespace {

using nlohmann::json;

constexpr std::size_t deepest = 3;        // header, tensor, list of sizes
constexpr std::size_t longest_list = 64;  // sizes of a shape

struct NamedType {
  const char* name;
  DType dtype;
};
constexpr std::array<NamedType, 8> types{{{"F32", DType::f32},
                                          {"F16", DType::f16},
                                          {"BF16", DType::bf16},
                                          {"F64", DType::f64},
                                          {"BOOL", DType::boolean},
                                          {"U8", DType::u8},
                                          {"I32", DType::i32},
                                          {"I64", DType::i64}}};

[[noreturn]] void refuse(const std::string& fault) { throw Error(ErrorCode::io, fault); }

/// Sees the JSON while it is parsed and stops what no header needs before memory is spent on it. It also finds
/// keys that stand twice, which a parsed object no longer shows.
class HeaderGuard {
 public:
  void see(json::parse_event_t event, const json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        see_value();
        if (open_.size() == deepest) refuse("header is nested too deeply");
        open_.emplace_back();
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        open_.pop_back();
        break;
      case json::parse_event_t::key:
        see_key(parsed.get_ref<const std::string&>());
        break;
      case json::parse_event_t::value:
        see_value();
        break;
    }
  }

 private:
  struct Level {
    std::unordered_set<std::string> keys;
    std::size_t list_length = 0;
  };

  void see_key(const std::string& key) {
    if (!open_.back().keys.insert(key).second) refuse("header has " + in_quotes(key) + " twice");
  }

  void see_value() {
    const bool in_list = !open_.empty() && open_.back().keys.empty();
    if (!in_list) return;
    if (++open_.back().list_length > longest_list) {
      refuse("header has a list of more than " + std::to_string(longest_list) + " values");
    }
  }

  std::vector<Level> open_;
};

json parse_json(std::string_view header) {
  HeaderGuard guard;
  try {
    return json::parse(header.begin(), header.end(), [&](int, json::parse_event_t event, json& parsed) {
      guard.see(event, parsed);
      return true;
    });
  } catch (const json::exception& error) {
    // The library's messages start with its own name in brackets.
    const std::string_view message = error.what();
    const std::size_t start = message.find("] ");
    refuse("header is not valid JSON: " +
           in_quotes(start == std::string_view::npos ? message : message.substr(start + 2)));
  }
}

/// A member of one tensor's entry.
const json& member(const std::string& name, const json& entry, const char* key) {
  const auto found = entry.find(key);
  if (found == entry.end()) refuse("tensor " + in_quotes(name) + " has no " + in_quotes(key));
  return *found;
}

/// JSON knows numbers only; a size has no sign, no fraction and at most 63 bits here.
std::int64_t size_from(const std::string& name, const json& value, const char* key) {
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > largest) {
    refuse("tensor " + in_quotes(name) + ": " + key + " holds something other than sizes of at most 63 bits");
  }
  return value.get<std::int64_t>();
}

Shape sizes_from(const std::string& name, const json& entry, const char* key) {
  const json& list = member(name, entry, key);
  if (!list.is_array()) refuse("tensor " + in_quotes(name) + ": " + key + " is not a list");
  Shape sizes;
  for (const json& value : list) sizes.push_back(size_from(name, value, key));
  return sizes;
}

std::string dtype_name_from(const std::string& name, const json& entry) {
  const json& value = member(name, entry, "dtype");
  if (!value.is_string()) refuse("tensor " + in_quotes(name) + ": dtype is not a string");
  return value.get<std::string>();
}

std::optional<DType> dtype_named(const std::string& name) {
  const auto found = std::find_if(types.begin(), types.end(), [&](const NamedType& type) { return name == type.name; });
  return found != types.end() ? std::optional(found->dtype) : std::nullopt;
}

/// Shape and bytes must agree; of a type that is not read here only the shape can be checked.
void check_size(const StoredTensor& tensor) {
  try {
    const std::uint64_t needed = byte_count(tensor.dtype.value_or(DType::u8), tensor.shape);
    if (!tensor.dtype || needed == tensor.bytes) return;
    refuse(tensor.dtype_name + " of shape " + text(tensor.shape) + " takes " + std::to_string(needed) +
           " bytes, data_offsets give it " + std::to_string(tensor.bytes));
  } catch (const Error& error) {
    throw Error(ErrorCode::io, "tensor " + in_quotes(tensor.name) + ": " + error.what());
  }
}

StoredTensor tensor_from(const std::string& name, const json& entry, std::uint64_t data_begin,
                         std::uint64_t data_bytes) {
  if (!entry.is_object()) refuse("tensor " + in_quotes(name) + " is not described by an object");
  StoredTensor tensor;
  tensor.name = name;
  tensor.dtype_name = dtype_name_from(name, entry);
  tensor.dtype = dtype_named(tensor.dtype_name);
  tensor.shape = sizes_from(name, entry, "shape");
  const Shape offsets = sizes_from(name, entry, "data_offsets");
  if (offsets.size() != 2) refuse("tensor " + in_quotes(name) + ": data_offsets must be two numbers");
  const auto begin = static_cast<std::uint64_t>(offsets[0]);
  const auto end = static_cast<std::uint64_t>(offsets[1]);
  if (begin > end || end > data_bytes) {
    refuse("tensor " + in_quotes(name) + ": data_offsets " + text(offsets) + " lie outside of the file's " +
           std::to_string(data_bytes) + " bytes of elements");
  }
  tensor.offset = data_begin + begin;
  tensor.bytes = end - begin;
  check_size(tensor);
  return tensor;
}

std::map<std::string, std::string> metadata_from(const json& entry) {
  if (!entry.is_object()) refuse("__metadata__ is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) refuse("__metadata__ " + in_quotes(key) + " is not a string");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

/// The elements must fill the file without a gap: bytes that belong to no tensor, or to two, mean that
/// something is wrong or hidden.
void check_tiling(const std::vector<StoredTensor>& sorted, std::uint64_t data_begin, std::uint64_t file_size) {
  std::uint64_t filled = data_begin;
  for (const StoredTensor& tensor : sorted) {
    if (tensor.offset < filled) refuse("tensor " + in_quotes(tensor.name) + " overlaps the one before it");
    if (tensor.offset > filled) {
      refuse("has a hole of " + std::to_string(tensor.offset - filled) + " bytes before tensor " +
             in_quotes(tensor.name));
    }
    filled += tensor.bytes;
  }
  if (filled != file_size) refuse("has " + std::to_string(file_size - filled) + " bytes after its last tensor");
}

}  // namespace

SafetensorsIndex parse_safetensors_header(std::string_view header, std::uint64_t data_begin, std::uint64_t file_size) {
  const json root = parse_json(header);
  if (!root.is_object()) refuse("header is not a JSON object");
  SafetensorsIndex index;
  for (const auto& [name, entry] : root.items()) {
    if (name == metadata_key) {
      index.metadata = metadata_from(entry);
    } else {
      index.tensors.push_back(tensor_from(name, entry, data_begin, file_size - data_begin));
    }
  }
  // Tensors without elements lie between the others: before the one that starts where they do.
  std::sort(index.tensors.begin(), index.tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
  });
  check_tiling(index.tensors, data_begin, file_size);
  return index;
}

std::string safetensors_dtype(DType dtype) {
  const auto found =
      std::find_if(types.begin(), types.end(), [dtype](const NamedType& type) { return type.dtype == dtype; });
  return found->name;
}

}  // namespace attune::io
