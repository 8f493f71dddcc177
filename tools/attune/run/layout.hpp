// How tensors in files become attention's [batch, heads, sequence, dim] or packed [total_tokens, heads, dim], and back.
#pragma once

#include <cstddef>

#include "tools/attune/io/tensor.hpp"

namespace attune::tool {

enum class Layout { bhsd, bshd, packed };

/// [batch, heads, sequence, dim] of a file's sizes; sizes that are not there are 1. Rank 2 is [sequence, dim] in
/// either layout. Packed tensors have rank 3. Throws Error(invalid_argument) for other ranks.
TensorLayout attention_layout(const io::Shape& shape, Layout layout);

/// The sizes in a file of that rank, for [batch, heads, sequence, dim]. Not of packed tensors, whose sizes they are.
io::Shape file_shape(const io::Shape& axes, Layout layout, std::size_t rank);

}  // namespace attune::tool
