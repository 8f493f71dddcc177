// The two implementations of linear attention, for calls that have been validated.
#pragma once

#include <cstddef>
#include <span>

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

/// f32, f16 and bf16. Time O(B · H · n · D · Dv). The workspace holds at least workspace_bytes(), aligned to 64 bytes.
void run_tiled(const Problem& problem, const kernels::Kernels& kernels, std::span<std::byte> workspace,
               Executor& executor) noexcept;

/// A state for each segment of 512 keys of each key/value head, and what each thread works in.
std::size_t workspace_bytes(const Problem& problem, const kernels::Kernels& kernels, int num_threads) noexcept;

}  // namespace attune::linear
