// What a call of attention may ask for. The order in which the options act is
//   s = scale · (query · key);  s = softcap · tanh(s / softcap);  s += attn_mask (float) + ALiBi;
//   then attn_mask (bool), block_mask, causal, window and lengths select which keys are attended at all;
//   softmax over the attended keys (a sink takes part in it);  out = weights · value.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <attune/tensor.hpp>

namespace attune {

/// Where the queries stand among the keys. Query i has position p = i + offset; causal keeps keys j ≤ p,
/// a window keeps p − left ≤ j ≤ p + right, ALiBi adds −slope · |p − j|. An offset may be negative.
struct Align {
  enum class Kind : std::uint8_t {
    bottom_right,  // offset = key length of the member − number of queries: the last query sees every
                   // key. Right for decode and chunked prefill, and for Sq = Sk the same as top_left.
    top_left,      // offset = 0: query i stands at key i. Right for right-padded self-attention, and what
                   // PyTorch's is_causal means.
    offset,        // one offset for all batch members
    offsets,       // an offset for each batch member
  };
  Kind kind = Kind::bottom_right;
  std::int64_t offset = 0;  // with Kind::offset
  TensorView offsets;       // with Kind::offsets: [B], i32 or i64

  static Align bottom_right() noexcept { return {}; }
  static Align top_left() noexcept { return {Kind::top_left, 0, {}}; }
  static Align at(std::int64_t offset) noexcept { return {Kind::offset, offset, {}}; }
  static Align per_batch(const TensorView& offsets) noexcept { return {Kind::offsets, 0, offsets}; }
};

/// Options and further outputs of one call. Views must stay valid until the call has returned.
struct AttentionOptions {
  std::optional<double> scale{};   // of query · key; default 1/√head_dim. Finite in f32, may be negative.
  bool causal = false;             // keep keys at or before the query's position (see Align)
  Align align{};                   // where the queries stand among the keys
  std::int64_t window_left = -1;   // keys before the query's position that are kept; −1: all
  std::int64_t window_right = -1;  // keys after it that are kept; −1: all
  double softcap = 0;              // c > 0: s becomes c · tanh(s / c); 0: none. At least f32's smallest normal

  /// bool (true = may attend) or f32, f16, bf16, with tensors of f64 f64 too (added to the score), rank 1 to 4,
  /// broadcast right-aligned over [B, H, Sq, Sk] without being copied. Not together with cu_seqlens.
  std::optional<TensorView> attn_mask{};
  /// bool, [B or 1, H or 1, ⌈Sq / block_queries⌉, ⌈Sk / block_keys⌉]: true = the queries of this block may attend
  /// the keys of this block, as far as every other option lets them. What is false costs nothing: the way to
  /// sparse patterns (Longformer, BigBird). With cu_seqlens each member has a map of its own ([members or 1, …])
  /// that begins at its first query and key, all of them sized for the longest member.
  std::optional<TensorView> block_mask{};
  std::int64_t block_queries = 0;            // queries in a block, at least 1; only with block_mask
  std::int64_t block_keys = 0;               // keys in a block, likewise
  std::optional<TensorView> alibi_slopes{};  // [H] or [B, H], f32
  std::optional<TensorView> sinks{};         // [H], f32: one more logit per head, without a value
  /// [B], i32 or i64, each in 0 … Sk: keys beyond it are neither attended nor read. Not together with
  /// cu_seqlens.
  std::optional<TensorView> key_lengths{};
  /// [B + 1], i32 or i64, both or neither: query, key, value and out are then packed [total_tokens, heads,
  /// dim], and member b owns the tokens cu_seqlens[b] … cu_seqlens[b + 1] − 1. Starts at 0, never falls,
  /// ends at the number of tokens. Positions count within a member.
  std::optional<TensorView> cu_seqlens_q{};
  std::optional<TensorView> cu_seqlens_k{};

  /// Output: natural logarithm of the softmax's denominator, f32, [B, H, Sq], packed [H, total_q].
  std::optional<MutableTensorView> lse{};
  /// Output: the attention weights, f32, [B, H, Sq, Sk]. Not together with cu_seqlens.
  std::optional<MutableTensorView> weights{};

  std::string_view backend{};  // force this backend by name; empty: the engine's choice (see Engine)
  std::string_view isa{};      // force this instruction set by name, for example "avx2"; empty: the best
  bool reproducible = false;   // let nothing but the machine's instruction set decide backend, variant and rounding
};

/// The tensors of one call.
///   query [B, H, Sq, D]     key [B, Hkv, Sk, D]     value [B, Hkv, Sk, Dv]     out [B, H, Sq, Dv]
/// H is a multiple of Hkv: query head h reads key/value head h / (H / Hkv). B, Sq, Sk and Dv may be 0.
/// With cu_seqlens all four are packed [total_tokens, heads, dim].
struct Tensors {
  TensorView query;
  TensorView key;
  TensorView value;
  MutableTensorView out;
};

}  // namespace attune

// The same under other names ("–": not there; "mask": as an attn_mask that the caller makes):
//
//   here                        torch sdpa        ONNX Attention          FlashAttention
//   scale                       scale             scale                   softmax_scale
//   causal                      is_causal         is_causal               causal
//   align (bottom_right)        top_left          top_left, or past_key   bottom_right
//   window_left, window_right   mask              mask                    window_size
//   softcap                     –                 softcap                 softcap
//   attn_mask                   attn_mask         attn_mask               –
//   block_mask, block_…         –                 –                       –
//   alibi_slopes                mask              mask                    alibi_slopes
//   sinks                       –                 –                       learnable_sink
//   key_lengths                 mask              nonpad_kv_seqlen        cache_seqlens
//   cu_seqlens_q, cu_seqlens_k  –                 –                       cu_seqlens_q, cu_seqlens_k
//   lse                         –                 –                       softmax_lse
//   weights                     –                 qk_matmul_output (3)    –
//   fewer heads in key, value   enable_gqa        kv_num_heads            by the shapes
