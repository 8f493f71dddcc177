#include "tests/io/tensor_bytes.hpp"

#include <algorithm>

namespace attune::test {

std::string npy_file(std::string_view header, std::string_view elements, int version) {
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t unpadded = 8 + length_bytes + header.size() + 1;
  const std::string padding((64 - unpadded % 64) % 64, ' ');
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  file += little_endian(header.size() + padding.size() + 1, length_bytes);
  return file + std::string(header) + padding + "\n" + std::string(elements);
}

std::string npy_dict(std::string_view descr, std::string_view shape) {
  return "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': " + std::string(shape) + ", }";
}

std::string safetensors_file(std::string_view header, std::string_view elements) {
  return little_endian(header.size(), 8) + std::string(header) + std::string(elements);
}

std::string safetensors_entry(std::string_view name, std::string_view dtype, std::string_view shape,
                              std::string_view offsets) {
  return "\"" + std::string(name) + "\":{\"dtype\":\"" + std::string(dtype) + "\",\"shape\":" + std::string(shape) +
         ",\"data_offsets\":" + std::string(offsets) + "}";
}

std::string object(std::string_view members) { return "{" + std::string(members) + "}"; }

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string result;
  for (std::size_t i = 0; i < bytes; ++i, value >>= 8) result += static_cast<char>(value & 0xff);
  return result;
}

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(), [](char letter) { return static_cast<std::byte>(letter); });
  return bytes;
}

}  // namespace attune::test
