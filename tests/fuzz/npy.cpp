// Any bytes are either a tensor, which survives being written and read again, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "tests/fuzz/round_trip.hpp"
#include "tools/attune/io/npy.hpp"

using namespace attune;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const io::Tensor tensor = io::read_npy(io::MemorySource(std::as_bytes(std::span(data, size))));
    const auto file = fuzz::file_of(io::npy_header(tensor.dtype, tensor.shape), tensor);
    fuzz::require_same(io::read_npy(io::MemorySource(file)), tensor);
  } catch (const Error& error) {
    fuzz::require_one_line(error);
  }
  return 0;
}
