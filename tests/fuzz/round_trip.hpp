// What every fuzz target asks of a reader and its writer. A broken promise ends the process, which is how
// libFuzzer learns of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tools/attune/io/tensor.hpp"

namespace attune::fuzz {

inline std::vector<std::byte> file_of(std::vector<std::byte> header, const io::Tensor& tensor) {
  header.insert(header.end(), tensor.bytes.begin(), tensor.bytes.end());
  return header;
}

inline void require_same(const io::Tensor& a, const io::Tensor& b) {
  if (a.dtype != b.dtype || a.shape != b.shape || a.bytes != b.bytes) std::abort();
}

/// Errors end on a terminal: one line, and nothing that a terminal obeys.
inline void require_one_line(const Error& error) {
  const std::string_view message = error.what();
  const bool clean = std::none_of(message.begin(), message.end(), [](char letter) {
    return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
  });
  if (!clean || message.empty() || message.size() > 4000) std::abort();
}

}  // namespace attune::fuzz
