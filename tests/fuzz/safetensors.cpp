// Any bytes are either an index whose tensors lie within them, each of which survives being written and read
// again, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "tests/fuzz/round_trip.hpp"
#include "tools/attune/io/safetensors.hpp"

using namespace attune;

namespace {

void read_back(const io::StoredTensor& stored, const io::ByteSource& source, const io::SafetensorsIndex& index) {
  if (stored.name.empty()) return;  // an empty name asks for the only tensor
  const io::Tensor tensor = io::read_stored_tensor(source, index, stored.name);
  const auto file = fuzz::file_of(io::safetensors_header(stored.name, tensor.dtype, tensor.shape), tensor);
  const io::MemorySource written(file);
  fuzz::require_same(io::read_stored_tensor(written, io::read_index(written), stored.name), tensor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const io::MemorySource source(std::as_bytes(std::span(data, size)));
  try {
    const io::SafetensorsIndex index = io::read_index(source);
    for (const io::StoredTensor& stored : index.tensors) {
      if (stored.offset > size || stored.bytes > size - stored.offset) std::abort();
      if (stored.dtype) read_back(stored, source, index);
    }
  } catch (const Error& error) {
    fuzz::require_one_line(error);
  }
  return 0;
}
