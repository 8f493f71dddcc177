#include "backends/tiles/key_block.hpp"

#include <algorithm>

#include "backends/tiles/rows.hpp"

namespace attune::tiles {
namespace {

struct Rows {
  const float* data;
  std::int64_t stride;
};

/// Row strides from here on are far; copying pays for itself from so many tiles on (measured: 15 to 20 points lost at
/// one tile, 3 to 10 won at eight).
constexpr std::int64_t far_bytes = 8192;
constexpr int enough_users = 8;

bool usable_in_place(const TensorView& tensor, int users) noexcept {
  if (tensor.dtype != DType::f32 || (tensor.strides[3] != 1 && tensor.shape[3] != 1)) return false;
  const std::int64_t stride_bytes = std::abs(tensor.strides[2]) * static_cast<std::int64_t>(sizeof(float));
  return stride_bytes < far_bytes || users < enough_users;
}

Rows contiguous_rows(const kernels::Kernels& kernels, const TensorView& tensor, std::int64_t batch, std::int64_t head,
                     std::int64_t first, std::int64_t count, int users, float* scratch) noexcept {
  const std::int64_t dim = tensor.shape[3];
  if (dim == 0) return {nullptr, 0};
  if (usable_in_place(tensor, users))
    return {tensor.as<float>() + index_of(tensor, batch, head, first), tensor.strides[2]};
  for (std::int64_t row = 0; row < count; ++row) {
    float* copy = scratch + row * dim;
    const std::int64_t at = index_of(tensor, batch, head, first + row);
    const float* read = read_row(kernels, tensor, at, tensor.strides[3], dim, copy);
    if (read != copy) std::copy_n(read, dim, copy);
  }
  return {scratch, dim};
}

}  // namespace

std::size_t key_block_floats(std::int64_t key_count, std::int64_t head_dim, std::int64_t value_dim) noexcept {
  return padded_floats(key_count * head_dim) + padded_floats(key_count * value_dim);
}

KeyBlock key_block(const kernels::Kernels& kernels, const Arguments& arguments, const Member& member,
                   std::int64_t kv_head, std::int64_t first, std::int64_t count, int users, float* scratch) noexcept {
  const std::int64_t row = member.first_key + first;
  const Rows keys = contiguous_rows(kernels, arguments.key, member.batch, kv_head, row, count, users, scratch);
  const Rows values = contiguous_rows(kernels, arguments.value, member.batch, kv_head, row, count, users,
                                      scratch + padded_floats(count * arguments.head_dim));
  return {first, count, keys.data, keys.stride, values.data, values.stride};
}

std::int64_t keys_per_block(int key_rows, std::int64_t head_dim, std::int64_t value_dim) noexcept {
  const std::int64_t rows = key_rows * 16;  // 128 keys for tiles of 8, 96 for tiles of 6
  return std::max(head_dim, value_dim) > 128 ? rows / 2 : rows;
}

}  // namespace attune::tiles
