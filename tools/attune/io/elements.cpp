#include "tools/attune/io/elements.hpp"

#include <algorithm>

namespace attune::io {
namespace {

void check_bools(const Tensor& tensor) {
  const auto wrong =
      std::find_if(tensor.bytes.begin(), tensor.bytes.end(), [](std::byte b) { return b > std::byte{1}; });
  if (wrong == tensor.bytes.end()) return;
  throw Error(ErrorCode::io, "element " + std::to_string(wrong - tensor.bytes.begin()) + " of a bool tensor is " +
                                 std::to_string(std::to_integer<int>(*wrong)) + ", must be 0 or 1");
}

}  // namespace

Tensor read_elements(const ByteSource& source, std::uint64_t offset, DType dtype, const Shape& shape) {
  Tensor tensor = make_tensor(dtype, shape);
  source.read(offset, tensor.bytes);
  if (dtype == DType::boolean) check_bools(tensor);
  return tensor;
}

}  // namespace attune::io
