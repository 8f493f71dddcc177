// A block of keys and values: a pointer and a stride each. Kernels see keys only this way, never the tensor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <attune/arguments.hpp>

#include "backends/kernels/kernels.hpp"

namespace attune::tiles {

struct KeyBlock {
  std::int64_t first = 0;  // key index within the member
  std::int64_t count = 0;
  const float* keys = nullptr;  // rows of head_dim, element stride 1
  std::int64_t key_stride = 0;
  const float* values = nullptr;  // rows of value_dim, element stride 1
  std::int64_t value_stride = 0;
  // Instead of the two, where the kernels multiply pairs of bf16 (pairs_for()):
  const std::uint16_t* key_elements = nullptr;  // rows of head_dim at key_stride
  const std::uint32_t* value_pairs = nullptr;   // [count / 2 rounded up][value_dim], value_stride being value_dim

  std::int64_t end() const noexcept { return first + count; }

  /// Keys begin … end − 1 of it, begin being an even number of keys into it.
  KeyBlock part(std::int64_t begin, std::int64_t part_end) const noexcept {
    KeyBlock result = *this;
    result.first = begin;
    result.count = part_end - begin;
    if (keys != nullptr) result.keys += (begin - first) * key_stride;
    if (values != nullptr) result.values += (begin - first) * value_stride;
    if (key_elements != nullptr) result.key_elements += (begin - first) * key_stride;
    if (value_pairs != nullptr) result.value_pairs += (begin - first) / 2 * value_stride;
    return result;
  }
};

/// What a block will read of the tensors, to be asked for while the block before it is computed.
struct BlockAhead {
  kernels::Ahead keys, values;
};

/// Of keys range.begin … range.end − 1 of a member's kv head.
BlockAhead ahead_of(const Arguments& arguments, const Member& member, std::int64_t kv_head,
                    const KeyRange& range) noexcept;

/// The kernels that multiply pairs of bf16, where there are any and the call is all bf16 with an even head_dim; else
/// null.
const kernels::PairKernels* pairs_for(const kernels::Kernels& kernels, const Arguments& arguments) noexcept;

/// Floats of scratch memory that key_block() may need, a multiple of 16.
std::size_t key_block_floats(std::int64_t key_count, std::int64_t head_dim, std::int64_t value_dim) noexcept;

/// Keys first … first + count − 1 of a member's kv head. What is not f32 with elements that follow each other is
/// converted or copied to `scratch`, once for all tiles that use the block; so are rows that lie far apart if `users`
/// tiles (enough to pay for it) will: far rows share cache sets, and each needs a page of its own.
KeyBlock key_block(const kernels::Kernels& kernels, const Arguments& arguments, const Member& member,
                   std::int64_t kv_head, std::int64_t first, std::int64_t count, int users, float* scratch) noexcept;

/// How a member's keys, or a chunk of them, are cut into blocks: all alike, but that the last one takes a short tail
/// along. The scores of a tile stay in L1, or mostly so; wide heads get half as many keys, and so do keys that would be
/// a single large block. A function of what decides rounding and of nothing else: blocks are where they are whatever is
/// attended, so that no neighbour of a row changes a bit of it.
class KeyCut {
 public:
  KeyCut(const KeyRange& all, int key_rows, std::int64_t head_dim, std::int64_t value_dim) noexcept;

  bool one_block() const noexcept { return blocks_ == 1; }

  /// Keys in the largest block of any cut.
  static std::int64_t most_keys(int key_rows, std::int64_t head_dim, std::int64_t value_dim) noexcept;

  /// What the range has of the block that its first key lies in; and of the block behind that one.
  KeyRange first(const KeyRange& range) const noexcept {
    if (blocks_ == 1) return from(all_.begin, range);  // a division is worth avoiding where keys are few
    return from(all_.begin + std::min((range.begin - all_.begin) / size_, blocks_ - 1) * size_, range);
  }
  KeyRange next(const KeyRange& block, const KeyRange& range) const noexcept { return from(block.end, range); }

 private:
  KeyRange from(std::int64_t begin, const KeyRange& range) const noexcept {
    const bool last = begin >= all_.begin + (blocks_ - 1) * size_;
    return {begin, std::min(last ? all_.end : begin + size_, range.end)};
  }

  KeyRange all_;
  std::int64_t size_, blocks_;
};

}  // namespace attune::tiles
