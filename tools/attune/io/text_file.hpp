// A small file as text.
#pragma once

#include <cstdint>
#include <string>

#include <attune/error.hpp>

#include "tools/attune/io/byte_source.hpp"
#include "tools/attune/io/tensor.hpp"

namespace attune::io {

/// Throws Error(io) for what is no regular file, cannot be read or is larger than `most_bytes`.
inline std::string read_text(const std::string& path, std::uint64_t most_bytes) {
  const FileSource file(path);
  if (file.size() > most_bytes) {
    throw Error(ErrorCode::io, in_quotes(path) + " is larger than " + std::to_string(most_bytes) + " bytes");
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(text.data(), text.size())));
  return text;
}

}  // namespace attune::io
