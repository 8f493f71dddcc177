#include "backends/tiles/key_block.hpp"

#include <algorithm>

namespace attune::tiles {
namespace {

std::size_t round_up_16(std::int64_t floats) noexcept { return (static_cast<std::size_t>(floats) + 15) / 16 * 16; }

struct Rows {
  const float* data;
  std::int64_t stride;
};

Rows contiguous_rows(const TensorView& tensor, std::int64_t batch, std::int64_t head, std::int64_t first,
                     std::int64_t count, float* scratch) noexcept {
  const std::int64_t dim = tensor.shape[3];
  if (dim == 0) return {nullptr, 0};
  const float* data =
      tensor.as<float>() + batch * tensor.strides[0] + head * tensor.strides[1] + first * tensor.strides[2];
  const std::int64_t row_stride = tensor.strides[2];
  const std::int64_t element_stride = tensor.strides[3];
  if (element_stride == 1 || dim == 1) return {data, row_stride};
  for (std::int64_t row = 0; row < count; ++row)
    for (std::int64_t d = 0; d < dim; ++d) scratch[row * dim + d] = data[row * row_stride + d * element_stride];
  return {scratch, dim};
}

}  // namespace

std::size_t key_block_floats(std::int64_t key_count, std::int64_t head_dim, std::int64_t value_dim) noexcept {
  return round_up_16(key_count * head_dim) + round_up_16(key_count * value_dim);
}

KeyBlock key_block(const Arguments& arguments, const Member& member, std::int64_t kv_head, std::int64_t first,
                   std::int64_t count, float* scratch) noexcept {
  const std::int64_t row = member.first_key + first;
  const Rows keys = contiguous_rows(arguments.key, member.batch, kv_head, row, count, scratch);
  const Rows values = contiguous_rows(arguments.value, member.batch, kv_head, row, count,
                                      scratch + round_up_16(count * arguments.head_dim));
  return {first, count, keys.data, keys.stride, values.data, values.stride};
}

std::int64_t keys_per_block(int key_rows, std::int64_t head_dim, std::int64_t value_dim) noexcept {
  const std::int64_t rows = key_rows * 16;  // 128 keys for tiles of 8, 96 for tiles of 6
  return std::max(head_dim, value_dim) > 128 ? rows / 2 : rows;
}

}  // namespace attune::tiles
