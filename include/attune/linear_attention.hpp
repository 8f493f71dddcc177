// Linear attention: NOT softmax attention made faster, but another function, for models that were trained with it.
//   out_i = Σ_j (φ(q_i)·φ(k_j)) v_j / Σ_j φ(q_i)·φ(k_j),   φ(x) = elu(x) + 1 = (x > 0 ? x + 1 : eˣ), element by element
// Because (φ(q)·φ(k)) v = φ(q)·(φ(k) vᵀ), the keys' part can be summed once into a D × Dv state: time O(n · D · Dv)
// instead of O(n² · (D + Dv)), and a decode step costs the same however long the past is.
// Source: Katharopoulos, Vyas, Pappas and Fleuret, "Transformers are RNNs: fast autoregressive transformers with linear
// attention", 2020.
#pragma once

#include <optional>
#include <string_view>

#include <attune/executor.hpp>
#include <attune/export.hpp>
#include <attune/tensor.hpp>

namespace attune {

struct LinearAttentionOptions {
  /// Query i sees the keys 0 … i of this call (and the state). Needs Sq = Sk: earlier keys come in as the state.
  bool causal = false;

  /// f32, [B, Hkv, D, Dv + 1]: column c < Dv of row d is Σ_j φ(k_j)_d · v_jc, the last column Σ_j φ(k_j)_d. Read and
  /// written: what earlier calls have seen (zeros at first), and on return that and this call's keys. It carries a
  /// sequence from call to call: chunk by chunk the outputs are those of the whole, up to rounding.
  std::optional<MutableTensorView> state{};

  std::string_view backend{};  // "naive" (the definition, O(n²), in double) or "tiled"; empty: tiled, naive for f64
  std::string_view isa{};      // of tiled: an instruction set by name, for example "avx2"; empty: the best
};

/// Shapes, GQA and dtypes as in Tensors (options.hpp): query [B, H, Sq, D], key [B, Hkv, Sk, D], value [B, Hkv, Sk,
/// Dv], out [B, H, Sq, Dv], any strides. A row that sees no key, or whose weights all vanish, is 0. A key or value that
/// a row does not see changes no bit of it. tiled takes f32, f16 and bf16 and computes in f32; its result has the same
/// bits for any number of threads. `executor` null: the default engine's.
/// Throws Error: invalid_argument naming the argument, before anything is written; unsupported; out_of_memory.
ATTUNE_API void linear_attention(const TensorView& query, const TensorView& key, const TensorView& value,
                                 const MutableTensorView& out, const LinearAttentionOptions& options = {},
                                 Executor* executor = nullptr);

}  // namespace attune
