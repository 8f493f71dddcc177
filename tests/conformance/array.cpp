#include "tests/conformance/array.hpp"

#include <cstring>
#include <numeric>

namespace attune::conformance {
namespace {

template <typename T>
T read(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
void write(T value, std::byte* to) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace

double load_element(DType dtype, const std::byte* from) {
  switch (dtype) {
    case DType::f32:
      return static_cast<double>(read<float>(from));
    case DType::f64:
      return read<double>(from);
    case DType::f16:
      return static_cast<double>(to_float(read<float16>(from)));
    case DType::bf16:
      return static_cast<double>(to_float(read<bfloat16>(from)));
    case DType::boolean:
    case DType::u8:
      return static_cast<double>(read<std::uint8_t>(from));
    case DType::i32:
      return static_cast<double>(read<std::int32_t>(from));
    case DType::i64:
      return static_cast<double>(read<std::int64_t>(from));
  }
  return 0;
}

void store_element(DType dtype, double value, std::byte* to) {
  switch (dtype) {
    case DType::f32:
      return write(static_cast<float>(value), to);
    case DType::f64:
      return write(value, to);
    case DType::f16:
      return write(to_float16(value), to);
    case DType::bf16:
      return write(to_bfloat16(value), to);
    case DType::boolean:
    case DType::u8:
      return write(static_cast<std::uint8_t>(value), to);
    case DType::i32:
      return write(static_cast<std::int32_t>(value), to);
    case DType::i64:
      return write(static_cast<std::int64_t>(value), to);
  }
}

double round_to(DType dtype, double value) {
  std::byte bytes[8];
  store_element(dtype, value, bytes);
  return load_element(dtype, bytes);
}

Array::Array(DType type, std::initializer_list<std::int64_t> sizes)
    : dtype(type), rank(static_cast<int>(sizes.size())) {
  std::int64_t count = 1;
  std::size_t axis = 0;
  for (const std::int64_t size : sizes) {
    shape[axis++] = size;
    count *= size;
  }
  values.assign(static_cast<std::size_t>(count), 0.0);
}

std::array<std::int64_t, max_rank> Array::strides() const {
  std::array<std::int64_t, max_rank> result{};
  std::int64_t stride = 1;
  for (int axis = rank; axis-- > 0;) {
    result[static_cast<std::size_t>(axis)] = stride;
    stride *= extent(axis);
  }
  return result;
}

void Array::repeat_along(int axis) {
  auto repeated = strides();
  repeated[static_cast<std::size_t>(axis)] = 0;
  const std::vector<double> source = values;
  for_each_element(shape, rank, repeated, [&](std::int64_t position, std::int64_t offset) {
    (*this)[position] = source[static_cast<std::size_t>(offset)];
  });
}

Array Array::as(DType type) const {
  Array result = *this;
  result.dtype = type;
  for (double& value : result.values) value = round_to(type, value);
  return result;
}

Array gather(const Array& array, int axis, const std::vector<std::int64_t>& order) {
  Array result = array;
  result.shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(order.size());
  std::int64_t inner = 1, outer = 1;
  for (int a = 0; a < axis; ++a) outer *= array.extent(a);
  for (int a = axis + 1; a < array.rank; ++a) inner *= array.extent(a);
  result.values.clear();
  result.hidden.clear();
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t i : order) {
      const auto begin = (o * array.extent(axis) + i) * inner;
      result.values.insert(result.values.end(), array.values.begin() + begin, array.values.begin() + begin + inner);
      if (!array.hidden.empty())
        result.hidden.insert(result.hidden.end(), array.hidden.begin() + begin, array.hidden.begin() + begin + inner);
    }
  }
  return result;
}

Array slice(const Array& array, int axis, std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(end - begin));
  std::iota(order.begin(), order.end(), begin);
  return gather(array, axis, order);
}

}  // namespace attune::conformance
