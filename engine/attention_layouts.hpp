// The four tensors of a call as describe() and bind() see them: with rank 4, whatever the caller's layout.
#pragma once

#include <cstdint>

#include <attune/tensor.hpp>

namespace attune::detail {

enum Axis : std::size_t { batch_axis, head_axis, sequence_axis, dim_axis };

/// [B, H, S, D] as it is; packed [total, heads, dim] as [1, heads, total, dim].
TensorLayout attention_axes(const TensorLayout& layout, bool packed) noexcept;

struct AttentionLayouts {
  TensorLayout query, key, value, out;
  bool packed = false;
  std::int64_t members = 0;  // B, or the packed members

  std::int64_t heads() const noexcept { return query.shape[head_axis]; }
  std::int64_t queries() const noexcept { return query.shape[sequence_axis]; }
  std::int64_t keys() const noexcept { return key.shape[sequence_axis]; }
};

}  // namespace attune::detail
