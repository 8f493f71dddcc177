#include "tools/attune/io/tensor.hpp"

#include <limits>

namespace attune::io {
namespace {

constexpr std::size_t longest_quote = 100;

[[noreturn]] void refuse(const Shape& shape, const char* fault) {
  throw Error(ErrorCode::invalid_argument, "shape " + text(shape) + " " + fault);
}

TensorLayout row_major(const Tensor& tensor) {
  if (tensor.shape.size() > static_cast<std::size_t>(max_rank)) {
    throw Error(ErrorCode::invalid_argument, "shape " + text(tensor.shape) + " has rank " +
                                                 std::to_string(tensor.shape.size()) + ", at most 4 can be used");
  }
  TensorLayout layout;
  layout.dtype = tensor.dtype;
  layout.rank = static_cast<int>(tensor.shape.size());
  std::int64_t stride = 1;
  for (std::size_t axis = tensor.shape.size(); axis-- > 0;) {
    layout.shape[axis] = tensor.shape[axis];
    layout.strides[axis] = stride;
    stride *= tensor.shape[axis];
  }
  return layout;
}

}  // namespace

TensorView Tensor::view() const { return {row_major(*this), bytes.data()}; }

MutableTensorView Tensor::mutable_view() {
  MutableTensorView result;
  static_cast<TensorLayout&>(result) = row_major(*this);
  result.data = bytes.data();
  return result;
}

Tensor make_tensor(DType dtype, const Shape& shape) {
  const std::uint64_t bytes = byte_count(dtype, shape);
  try {
    return {dtype, shape, Bytes(static_cast<std::size_t>(bytes))};
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory,
                "no memory for shape " + text(shape) + ", " + std::to_string(bytes) + " bytes");
  }
}

std::int64_t element_count(const Shape& shape) {
  // Sizes other than 0 are multiplied even where another is 0: strides are products of them.
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t size : shape) {
    if (size < 0) refuse(shape, "has a negative size");
    if (size == 0) {
      empty = true;
    } else if (product > std::numeric_limits<std::int64_t>::max() / size) {
      refuse(shape, "has more elements than 64 bits can count");
    } else {
      product *= size;
    }
  }
  return empty ? 0 : product;
}

std::uint64_t byte_count(DType dtype, const Shape& shape) {
  const std::int64_t elements = element_count(shape);
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  if (elements > std::numeric_limits<std::int64_t>::max() / size)
    refuse(shape, "has more bytes than 64 bits can count");
  return static_cast<std::uint64_t>(elements * size);
}

std::string text(const Shape& shape) {
  std::string result = "[";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    result += (axis == 0 ? "" : ", ") + std::to_string(shape[axis]);
  }
  return result + "]";
}

std::string in_quotes(std::string_view text) {
  constexpr const char* digits = "0123456789abcdef";
  std::string result = "\"";
  for (const char letter : text.substr(0, longest_quote)) {
    const auto code = static_cast<unsigned char>(letter);
    if (code < 0x20 || code == 0x7f) {
      result += {'\\', 'x', digits[code >> 4], digits[code & 15]};
    } else {
      result += letter;
    }
  }
  return result + (text.size() > longest_quote ? "...\"" : "\"");
}

}  // namespace attune::io
