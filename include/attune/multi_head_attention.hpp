// The layer of the textbooks: query, key and value from X by linear maps, heads split, attention, heads
// merged, optionally one more linear map. Source: Vaswani et al., "Attention Is All You Need", 2017.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <attune/engine.hpp>
#include <attune/export.hpp>

namespace attune {

/// y = x · weightᵀ + bias, as torch.nn.Linear: weight [out_features, in_features] row-major, bias
/// [out_features] or empty.
struct ATTUNE_API Linear {
  std::int64_t in_features = 0;
  std::int64_t out_features = 0;
  std::vector<float> weight;
  std::vector<float> bias;

  /// Weights drawn from U(−a, a) with a = √(6 / (in + out)) (Xavier uniform), bias zero. Drawn from raw
  /// std::mt19937_64 bits, so the same seed gives the same numbers with every standard library.
  static Linear xavier(std::int64_t in_features, std::int64_t out_features, std::uint64_t seed, bool bias = true);
};

struct MultiHeadAttentionConfig {
  std::int64_t model_dim = 0;     // features of X and of the result
  std::int64_t heads = 1;         // query heads
  std::int64_t kv_heads = 0;      // key/value heads; 0: as many as heads
  std::int64_t head_dim = 0;      // 0: model_dim / heads
  std::int64_t value_dim = 0;     // per head; 0: head_dim
  std::int64_t context_dim = 0;   // features of the context; 0: model_dim
  bool bias = true;               // of the maps that random() makes
  bool output_projection = true;  // false: the result is the merged heads, [.., heads · value_dim]
};

/// Self- and cross-attention over f32 activations. Immutable after construction; forward() is reentrant.
class ATTUNE_API MultiHeadAttention {
 public:
  /// From given maps. Shapes: query [heads·head_dim, model_dim], key [kv_heads·head_dim, context_dim], value
  /// [kv_heads·value_dim, context_dim], output [model_dim, heads·value_dim] or none. Throws
  /// Error(invalid_argument) naming the map that does not fit.
  MultiHeadAttention(const MultiHeadAttentionConfig& config, Linear query, Linear key, Linear value,
                     std::optional<Linear> output);

  /// With Xavier uniform maps from one seed.
  static MultiHeadAttention random(const MultiHeadAttentionConfig& config, std::uint64_t seed);

  const MultiHeadAttentionConfig& config() const noexcept { return config_; }

  /// The steps by themselves, for people who want to look: x [B, S, features] → [B, heads, S, dim], any strides
  /// on the result. Everything is f32, x and context contiguous.
  void project_query(const TensorView& x, const MutableTensorView& query, Engine& engine = default_engine(),
                     Executor* executor = nullptr) const;
  void project_key(const TensorView& context, const MutableTensorView& key, Engine& engine = default_engine(),
                   Executor* executor = nullptr) const;
  void project_value(const TensorView& context, const MutableTensorView& value, Engine& engine = default_engine(),
                     Executor* executor = nullptr) const;

  /// Self-attention: x [B, S, model_dim] → out [B, S, model_dim] (or [B, S, heads · value_dim] without output
  /// projection); contiguous f32 of rank 3, out apart from x. `options` as for attention(), lse and weights
  /// included, cu_seqlens excluded. Runs on the given executor (default: the engine's own).
  /// Throws Error as attention() does; allocates the projections.
  void forward(const TensorView& x, const MutableTensorView& out, const AttentionOptions& options = {},
               Engine& engine = default_engine(), Executor* executor = nullptr) const;

  /// Cross-attention: queries from x [B, Sq, model_dim], keys and values from context [B, Sk, context_dim].
  void forward(const TensorView& x, const TensorView& context, const MutableTensorView& out,
               const AttentionOptions& options = {}, Engine& engine = default_engine(),
               Executor* executor = nullptr) const;

 private:
  MultiHeadAttentionConfig config_;
  Linear query_, key_, value_;
  std::optional<Linear> output_;
};

}  // namespace attune
