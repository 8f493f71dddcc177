// Tensor files as bytes, put together from their parts so that each part can be wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <attune/error.hpp>

#include "tools/attune/io/byte_source.hpp"

namespace attune::test {

/// A .npy file. `header` is padded to a multiple of 64 and ends in a newline, as NumPy writes it.
std::string npy_file(std::string_view header, std::string_view elements, int version = 1);

/// The header of a .npy file in C order.
std::string npy_dict(std::string_view descr, std::string_view shape);

/// A .safetensors file.
std::string safetensors_file(std::string_view header, std::string_view elements);

/// One tensor's member of that header, and the object around them all.
std::string safetensors_entry(std::string_view name, std::string_view dtype, std::string_view shape,
                              std::string_view offsets);
std::string object(std::string_view members);

/// A number's bytes, the lowest first.
std::string little_endian(std::uint64_t value, std::size_t bytes);

std::vector<std::byte> bytes_of(std::string_view text);

/// What read() says of a file, "" if it has nothing against it.
template <typename Read>
std::string complaint_about(std::string_view file, Read read) {
  const std::vector<std::byte> bytes = bytes_of(file);
  try {
    read(io::MemorySource(bytes));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace attune::test
