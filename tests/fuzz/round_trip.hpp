// What every fuzz target of files asks of a reader and its writer. A broken promise ends the process, which is how
// libFuzzer learns of it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <vector>

#include "tests/fuzz/one_line.hpp"
#include "tools/attune/io/tensor.hpp"

namespace attune::fuzz {

inline std::vector<std::byte> file_of(std::vector<std::byte> header, const io::Tensor& tensor) {
  header.insert(header.end(), tensor.bytes.begin(), tensor.bytes.end());
  return header;
}

inline void require_same(const io::Tensor& a, const io::Tensor& b) {
  if (a.dtype != b.dtype || a.shape != b.shape || a.bytes != b.bytes) std::abort();
}

}  // namespace attune::fuzz
