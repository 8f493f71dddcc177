#include "backends/tiles/key_block.hpp"

#include <algorithm>

#include "backends/tiles/rows.hpp"
#include "backends/tiles/sizes.hpp"

namespace attune::tiles {
namespace {

struct Rows {
  const float* data;
  std::int64_t stride;
};

/// Rows so far apart each need a page of their own, and rows a multiple of 1 KiB apart share the few cache sets that
/// their stride reaches. Copying them pays for itself from so many tiles on (measured: 15 to 20 points lost at one
/// tile, 3 to 10 won at eight).
constexpr int enough_users = 8;

bool far(std::int64_t stride_bytes) noexcept {
  return stride_bytes >= 8192 || (stride_bytes >= 2048 && stride_bytes % 1024 == 0);
}

bool usable_in_place(const TensorView& tensor, int users) noexcept {
  if (tensor.dtype != DType::f32 || (tensor.strides[3] != 1 && tensor.shape[3] != 1)) return false;
  const std::int64_t stride_bytes = std::abs(tensor.strides[2]) * static_cast<std::int64_t>(sizeof(float));
  return !far(stride_bytes) || users < enough_users;
}

Rows contiguous_rows(const kernels::Kernels& kernels, const TensorView& tensor, std::int64_t batch, std::int64_t head,
                     std::int64_t first, std::int64_t count, int users, float* scratch) noexcept {
  const std::int64_t dim = tensor.shape[3];
  if (dim == 0) return {nullptr, 0};
  if (usable_in_place(tensor, users))
    return {tensor.as<float>() + index_of(tensor, batch, head, first), tensor.strides[2]};
  if (tensor.dtype != DType::f32 && tensor.strides[3] == 1 && tensor.strides[2] == dim) {
    gather_row(kernels, tensor, index_of(tensor, batch, head, first), 1, count * dim, scratch);
    return {scratch, dim};
  }
  for (std::int64_t row = 0; row < count; ++row) {
    float* copy = scratch + row * dim;
    const std::int64_t at = index_of(tensor, batch, head, first + row);
    const float* read = read_row(kernels, tensor, at, tensor.strides[3], dim, copy);
    if (read != copy) std::copy_n(read, dim, copy);
  }
  return {scratch, dim};
}

/// The same for bf16 that stays what it is.
struct Elements {
  const std::uint16_t* data;
  std::int64_t stride;
};

Elements contiguous_elements(const TensorView& tensor, std::int64_t batch, std::int64_t head, std::int64_t first,
                             std::int64_t count, std::uint16_t* scratch) noexcept {
  const std::int64_t dim = tensor.shape[3];
  if (dim == 0) return {nullptr, 0};
  const std::uint16_t* data = tensor.as<std::uint16_t>() + index_of(tensor, batch, head, first);
  if (tensor.strides[3] == 1 || dim == 1) return {data, tensor.strides[2]};
  for (std::int64_t row = 0; row < count; ++row)
    for (std::int64_t d = 0; d < dim; ++d)
      scratch[row * dim + d] = data[row * tensor.strides[2] + d * tensor.strides[3]];
  return {scratch, dim};
}

KeyBlock paired_block(const kernels::PairKernels& pairs, const Arguments& arguments, const Member& member,
                      std::int64_t kv_head, std::int64_t first, std::int64_t count, float* scratch) noexcept {
  const std::int64_t row = member.first_key + first;
  const std::int64_t value_dim = arguments.value_dim;
  auto* key_copy = reinterpret_cast<std::uint16_t*>(scratch);
  auto* value_pairs = reinterpret_cast<std::uint32_t*>(scratch + padded_floats(count * arguments.head_dim));
  auto* value_copy = reinterpret_cast<std::uint16_t*>(value_pairs + (count + 1) / 2 * value_dim);
  const Elements keys = contiguous_elements(arguments.key, member.batch, kv_head, row, count, key_copy);
  const Elements values = contiguous_elements(arguments.value, member.batch, kv_head, row, count, value_copy);
  if (values.data != nullptr) pairs.pair_values(values.data, values.stride, count, value_dim, value_pairs);
  KeyBlock block;
  block.first = first;
  block.count = count;
  block.key_elements = keys.data;
  block.key_stride = keys.stride;
  block.value_pairs = value_pairs;
  block.value_stride = value_dim;
  return block;
}

}  // namespace

BlockAhead ahead_of(const Arguments& arguments, const Member& member, std::int64_t kv_head,
                    const KeyRange& range) noexcept {
  const std::int64_t first = member.first_key + range.begin, count = range.end - range.begin;
  return {rows_ahead(arguments.key, member.batch, kv_head, first, count),
          rows_ahead(arguments.value, member.batch, kv_head, first, count)};
}

const kernels::PairKernels* pairs_for(const kernels::Kernels& kernels, const Arguments& arguments) noexcept {
  const auto is_bf16 = [](const TensorView& tensor) { return tensor.dtype == DType::bf16; };
  const bool fits = is_bf16(arguments.query) && is_bf16(arguments.key) && is_bf16(arguments.value);
  return fits && arguments.head_dim % 2 == 0 ? kernels.pairs : nullptr;
}

std::size_t key_block_floats(std::int64_t key_count, std::int64_t head_dim, std::int64_t value_dim) noexcept {
  return padded_floats(float_count(key_count, head_dim)) + padded_floats(float_count(key_count + 1, value_dim));
}

KeyBlock key_block(const kernels::Kernels& kernels, const Arguments& arguments, const Member& member,
                   std::int64_t kv_head, std::int64_t first, std::int64_t count, int users, float* scratch) noexcept {
  if (const kernels::PairKernels* pairs = pairs_for(kernels, arguments))
    return paired_block(*pairs, arguments, member, kv_head, first, count, scratch);
  const std::int64_t row = member.first_key + first;
  const Rows keys = contiguous_rows(kernels, arguments.key, member.batch, kv_head, row, count, users, scratch);
  const Rows values = contiguous_rows(kernels, arguments.value, member.batch, kv_head, row, count, users,
                                      scratch + padded_floats(count * arguments.head_dim));
  KeyBlock block;
  block.first = first;
  block.count = count;
  block.keys = keys.data;
  block.key_stride = keys.stride;
  block.values = values.data;
  block.value_stride = values.stride;
  return block;
}

namespace {

/// Where keys are many, 256 for tiles of 8 and 192 for tiles of 6. Half as many cost 1 to 2 points of Zen 5's peak,
/// since a tile's sums are rescaled for every block.
std::int64_t usual_keys(int key_rows, std::int64_t head_dim, std::int64_t value_dim) noexcept {
  const std::int64_t keys = key_rows * 32;
  return std::max(head_dim, value_dim) > 128 ? keys / 2 : keys;
}

}  // namespace

KeyCut::KeyCut(const KeyRange& all, int key_rows, std::int64_t head_dim, std::int64_t value_dim) noexcept
    : all_(all), size_(usual_keys(key_rows, head_dim, value_dim)) {
  const std::int64_t keys = all.end - all.begin;
  if (2 * keys < 3 * size_) size_ /= 2;  // what is no more than a block of keys is fetched better in two
  blocks_ = keys <= size_ ? 1 : (keys + size_ / 2) / size_;
}

std::int64_t KeyCut::most_keys(int key_rows, std::int64_t head_dim, std::int64_t value_dim) noexcept {
  return usual_keys(key_rows, head_dim, value_dim) * 3 / 2;
}

}  // namespace attune::tiles
