// The two implementations of linear attention, for calls that have been validated.
#pragma once

#include <attune/arguments.hpp>
#include <attune/executor.hpp>

#include "backends/kernels/kernels.hpp"

namespace attune::linear {

/// query [B, H, Sq, D], key [B, Hkv, Sk, D], value [B, Hkv, Sk, Dv], out [B, H, Sq, Dv]; causal only with Sq = Sk.
/// Of the arguments of softmax attention only these count.
struct Problem {
  Arguments tensors;
  MutableTensorView state;  // [B, Hkv, D, Dv + 1], f32; data null: none
  bool causal = false;
};

/// Pair by pair, in double. Time O(B · H · Sq · Sk · (D + Dv)).
void run_naive(const Problem& problem);

/// f32, f16 and bf16. Time O(B · H · n · D · Dv). Throws std::bad_alloc.
void run_tiled(const Problem& problem, const kernels::Kernels& kernels, Executor& executor);

}  // namespace attune::linear
