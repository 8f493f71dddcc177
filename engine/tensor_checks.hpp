// Checks of one tensor by itself. Each refuses with Error(invalid_argument) naming the tensor.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include <attune/tensor.hpp>

namespace attune::detail {

/// `wanted` says what would do, for example "4, [batch, heads, sequence, dim]".
void check_rank(std::string_view name, const TensorLayout& layout, int lowest, int highest, const char* wanted);

/// No negative size and not too many elements. The rank has been checked.
void check_sizes(std::string_view name, const TensorLayout& layout);

/// Exactly this rank and shape; `axes` are their names.
void check_shape(std::string_view name, const TensorLayout& layout, std::initializer_list<std::int64_t> sizes,
                 const char* axes);

void check_float(std::string_view name, DType dtype);
void check_f32(std::string_view name, const TensorLayout& layout);

/// An i32 or i64 vector that will be read at once: [count], memory included.
void check_indices(std::string_view name, const TensorView& indices, std::int64_t count, const char* axes);

/// No null pointer where there are elements, elements aligned to their own size, and strides that stay in the
/// address space.
void check_memory(std::string_view name, const TensorView& tensor);

}  // namespace attune::detail
