#include "engine/tensor_checks.hpp"

#include <algorithm>
#include <string>

#include "engine/complaint.hpp"
#include "engine/layout.hpp"

namespace attune::detail {
namespace {

void check_index_dtype(std::string_view name, const TensorLayout& layout) {
  if (layout.dtype == DType::i32 || layout.dtype == DType::i64) return;
  refuse_argument(name, std::string("dtype is ") + attune::name(layout.dtype) + ", must be i32 or i64");
}

}  // namespace

void check_rank(std::string_view name, const TensorLayout& layout, int lowest, int highest, const char* shape) {
  if (layout.rank >= lowest && layout.rank <= highest) return;
  refuse_argument(name, "rank is " + std::to_string(layout.rank) + ", must be " + shape);
}

void check_sizes(std::string_view name, const TensorLayout& layout) {
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(layout.rank); ++axis) {
    if (layout.shape[axis] < 0) refuse_argument(name, "shape " + shape_text(layout) + " has a negative size");
  }
  if (!count_fits(layout)) refuse_argument(name, "shape " + shape_text(layout) + " has too many elements");
}

void check_shape(std::string_view name, const TensorLayout& layout, std::initializer_list<std::int64_t> sizes,
                 const char* axes) {
  check_rank(name, layout, static_cast<int>(sizes.size()), static_cast<int>(sizes.size()), axes);
  if (std::equal(sizes.begin(), sizes.end(), layout.shape.begin())) return;
  refuse_argument(name, "shape is " + shape_text(layout) + ", must be " + text_of(sizes) + " = " + axes);
}

void check_f32(std::string_view name, const TensorLayout& layout) {
  if (layout.dtype != DType::f32)
    refuse_argument(name, std::string("dtype is ") + attune::name(layout.dtype) + ", must be f32");
}

void check_float(std::string_view name, DType dtype) {
  if (!is_float(dtype))
    refuse_argument(name, std::string("dtype is ") + attune::name(dtype) + ", must be f32, f16, bf16 or f64");
}

void check_indices(std::string_view name, const TensorView& indices, std::int64_t count, const char* axes) {
  check_shape(name, indices, {count}, axes);
  check_index_dtype(name, indices);
  check_memory(name, indices);
}

void check_memory(std::string_view name, const TensorView& tensor) {
  if (!has_elements(tensor)) return;
  if (tensor.data == nullptr) {
    refuse_argument(name, "data is null, but its shape " + shape_text(tensor) + " has elements");
  }
  const std::size_t element = size_of(tensor.dtype);
  if (reinterpret_cast<std::uintptr_t>(tensor.data) % element != 0) {
    refuse_argument(name, std::string("data is not aligned: ") + attune::name(tensor.dtype) + " elements need " +
                              std::to_string(element) + " bytes");
  }
  if (!byte_range(tensor)) {
    refuse_argument(name, "shape " + shape_text(tensor) + " times its strides leads out of the address space");
  }
}

}  // namespace attune::detail
