// y = x·Wᵀ + b on the score tiles, written where attention wants it.
#pragma once

#include <attune/executor.hpp>
#include <attune/machine.hpp>
#include <attune/multi_head_attention.hpp>
#include <attune/tensor.hpp>

namespace attune::detail {

/// x: contiguous [B, S, in_features]; y: [B, heads, S, dim] of any strides with heads · dim = out_features, feature
/// h · dim + d going to head h. All f32 and checked by the caller. Throws Error(out_of_memory).
void apply(const Linear& map, const TensorView& x, const MutableTensorView& y, const Machine& machine,
           Executor& executor);

}  // namespace attune::detail
