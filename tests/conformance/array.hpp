// A tensor's logical content, apart from where it lies in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include <attune/tensor.hpp>

namespace attune::conformance {

/// The nearest value of an element type, as a double (which holds every value of every type here).
double round_to(DType dtype, double value);

double load_element(DType dtype, const std::byte* from);
void store_element(DType dtype, double value, std::byte* to);

/// Values in row-major order, each one that the dtype can hold.
struct Array {
  DType dtype = DType::f32;
  int rank = 0;
  std::array<std::int64_t, max_rank> shape{};
  std::vector<double> values;
  std::vector<std::uint8_t> hidden;  // 1: not to be read by anyone (padding). Empty: no such element

  Array() = default;
  Array(DType type, std::initializer_list<std::int64_t> sizes);

  bool empty() const { return rank == 0; }
  std::int64_t size() const { return static_cast<std::int64_t>(values.size()); }
  double& operator[](std::int64_t i) { return values[static_cast<std::size_t>(i)]; }
  double operator[](std::int64_t i) const { return values[static_cast<std::size_t>(i)]; }

  std::int64_t extent(int axis) const { return shape[static_cast<std::size_t>(axis)]; }
  /// Row-major strides.
  std::array<std::int64_t, max_rank> strides() const;

  template <typename Generator>
  void fill(Generator&& next) {
    for (double& value : values) value = round_to(dtype, next());
  }
  /// Makes all slices along the axis equal to the first, as a zero stride does.
  void repeat_along(int axis);
  /// The same values in another element type.
  Array as(DType type) const;
};

/// Indices begin … end − 1 of one axis.
Array slice(const Array& array, int axis, std::int64_t begin, std::int64_t end);
/// result[…, i, …] = array[…, order[i], …] along the axis.
Array gather(const Array& array, int axis, const std::vector<std::int64_t>& order);

/// Calls visit(position in row-major order, Σ index · stride) for every element.
template <typename Visitor>
void for_each_element(const std::array<std::int64_t, max_rank>& shape, int rank,
                      const std::array<std::int64_t, max_rank>& strides, Visitor&& visit) {
  std::int64_t count = 1;
  for (int axis = 0; axis < rank; ++axis) count *= shape[static_cast<std::size_t>(axis)];
  std::array<std::int64_t, max_rank> index{};
  std::int64_t offset = 0;
  for (std::int64_t position = 0; position < count; ++position) {
    visit(position, offset);
    for (int axis = rank; axis-- > 0;) {
      const auto a = static_cast<std::size_t>(axis);
      offset += strides[a];
      if (++index[a] < shape[a]) break;
      offset -= strides[a] * shape[a];
      index[a] = 0;
    }
  }
}

}  // namespace attune::conformance
