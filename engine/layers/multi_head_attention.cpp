#include <attune/multi_head_attention.hpp>

#include <cmath>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <utility>

#include <attune/error.hpp>

#include "engine/complaint.hpp"
#include "engine/layers/linear_map.hpp"
#include "engine/layout.hpp"
#include "engine/tensor_checks.hpp"

namespace attune {
namespace {

using detail::refuse_argument;

void check_at_least_one(const char* name, std::int64_t value) {
  if (value < 1) refuse_argument(name, "is " + std::to_string(value) + "; it must be at least 1");
}

/// Fills in what 0 stands for.
MultiHeadAttentionConfig completed(MultiHeadAttentionConfig config) {
  check_at_least_one("model_dim", config.model_dim);
  check_at_least_one("heads", config.heads);
  if (config.kv_heads == 0) config.kv_heads = config.heads;
  check_at_least_one("kv_heads", config.kv_heads);
  if (config.heads % config.kv_heads != 0)
    refuse_argument("kv_heads", "is " + std::to_string(config.kv_heads) + "; heads, " + std::to_string(config.heads) +
                                    ", must be a multiple of it");
  if (config.head_dim == 0) {
    if (config.model_dim % config.heads != 0)
      refuse_argument("heads", "is " + std::to_string(config.heads) + "; it must divide model_dim, " +
                                   std::to_string(config.model_dim) + ", or head_dim must be given");
    config.head_dim = config.model_dim / config.heads;
  }
  check_at_least_one("head_dim", config.head_dim);
  if (config.value_dim == 0) config.value_dim = config.head_dim;
  check_at_least_one("value_dim", config.value_dim);
  if (config.context_dim == 0) config.context_dim = config.model_dim;
  check_at_least_one("context_dim", config.context_dim);
  return config;
}

std::size_t checked_count(const char* name, std::int64_t rows, std::int64_t columns) {
  std::int64_t count = 0;
  if (rows < 0 || columns < 0 || __builtin_mul_overflow(rows, columns, &count) ||
      count > std::numeric_limits<std::int64_t>::max() / 16)
    refuse_argument(name, "is [" + std::to_string(rows) + ", " + std::to_string(columns) + "], which no memory holds");
  return static_cast<std::size_t>(count);
}

void check_map(const char* name, const Linear& map, std::int64_t in, std::int64_t out) {
  const std::string wanted = "[" + std::to_string(out) + ", " + std::to_string(in) + "]";
  if (map.in_features != in || map.out_features != out)
    refuse_argument(name, "is [" + std::to_string(map.out_features) + ", " + std::to_string(map.in_features) +
                              "] ([out_features, in_features]); it must be " + wanted);
  if (map.weight.size() != checked_count(name, out, in))
    refuse_argument(name, "has " + std::to_string(map.weight.size()) + " weights; " + wanted + " takes " +
                              std::to_string(out * in));
  if (!map.bias.empty() && map.bias.size() != static_cast<std::size_t>(out))
    refuse_argument(
        name, "has a bias of " + std::to_string(map.bias.size()) + "; it must be empty or " + std::to_string(out));
}

/// [B, S, features], contiguous f32.
void check_activations(const char* name, const TensorView& x, std::int64_t features) {
  detail::check_f32(name, x);
  detail::check_rank(name, x, 3, 3, "3, [batch, sequence, features]");
  detail::check_sizes(name, x);
  if (x.shape[2] != features)
    refuse_argument(name,
                    "has " + std::to_string(x.shape[2]) + " features; the layer takes " + std::to_string(features));
  const TensorLayout wanted = contiguous({x.shape[0], x.shape[1], x.shape[2]});
  for (std::size_t axis = 0; axis < 3; ++axis)
    if (x.shape[axis] > 1 && x.strides[axis] != wanted.strides[axis])
      refuse_argument(name, "has stride " + std::to_string(x.strides[axis]) + " on axis " + std::to_string(axis) +
                                "; it must be contiguous");
  detail::check_memory(name, x);
}

/// One projection with everything checked.
void project(const char* input, const char* output, const Linear& map, std::int64_t heads, const TensorView& x,
             const MutableTensorView& y, Engine& engine, Executor* executor) {
  check_activations(input, x, map.in_features);
  detail::check_f32(output, y);
  detail::check_shape(output, y, {x.shape[0], heads, x.shape[1], map.out_features / heads},
                      "[batch, heads, sequence, dim]");
  detail::check_memory(output, y);
  if (detail::overlaps_itself(y)) refuse_argument(output, "has strides that name an element twice");
  if (detail::has_elements(x) && detail::has_elements(y) && detail::overlap(x, y))
    refuse_argument(output, std::string("shares memory with ") + input + "; it must lie apart");
  detail::apply(map, x, y, engine.machine(), executor != nullptr ? *executor : engine.executor());
}

/// Owned activations [B, heads, S, dim] that lie in memory as [B, S, heads, dim]: what a linear map writes and reads.
struct Activations {
  std::vector<float> data;
  MutableTensorView heads;

  Activations(std::int64_t batch, std::int64_t seq, std::int64_t head_count, std::int64_t dim) {
    try {
      data.resize(static_cast<std::size_t>(batch * seq * head_count * dim));
    } catch (const std::bad_alloc&) {
      throw Error(ErrorCode::out_of_memory, "MultiHeadAttention: no memory for activations of [" +
                                                std::to_string(batch) + ", " + std::to_string(seq) + ", " +
                                                std::to_string(head_count * dim) + "]");
    }
    heads = view(data.data(), bshd(batch, seq, head_count, dim));
  }
};

}  // namespace

Linear Linear::xavier(std::int64_t in_features, std::int64_t out_features, std::uint64_t seed, bool bias) {
  check_at_least_one("in_features", in_features);
  check_at_least_one("out_features", out_features);
  Linear map;
  map.in_features = in_features;
  map.out_features = out_features;
  map.weight.resize(checked_count("weight", out_features, in_features));
  const double bound = std::sqrt(6.0 / static_cast<double>(in_features + out_features));
  std::mt19937_64 bits(seed);
  // The upper 53 bits are a uniform number in [0, 1): the standard's distributions differ between libraries.
  for (float& w : map.weight)
    w = static_cast<float>(bound * (2.0 * (static_cast<double>(bits() >> 11) * 0x1p-53) - 1.0));
  if (bias) map.bias.assign(static_cast<std::size_t>(out_features), 0.0f);
  return map;
}

MultiHeadAttention::MultiHeadAttention(const MultiHeadAttentionConfig& config, Linear query, Linear key, Linear value,
                                       std::optional<Linear> output)
    : config_(completed(config)),
      query_(std::move(query)),
      key_(std::move(key)),
      value_(std::move(value)),
      output_(std::move(output)) {
  const MultiHeadAttentionConfig& c = config_;
  check_map("query map", query_, c.model_dim, c.heads * c.head_dim);
  check_map("key map", key_, c.context_dim, c.kv_heads * c.head_dim);
  check_map("value map", value_, c.context_dim, c.kv_heads * c.value_dim);
  config_.output_projection = output_.has_value();
  if (output_) check_map("output map", *output_, c.heads * c.value_dim, c.model_dim);
}

MultiHeadAttention MultiHeadAttention::random(const MultiHeadAttentionConfig& config, std::uint64_t seed) {
  const MultiHeadAttentionConfig c = completed(config);
  std::mt19937_64 seeds(seed);
  Linear query = Linear::xavier(c.model_dim, c.heads * c.head_dim, seeds(), c.bias);
  Linear key = Linear::xavier(c.context_dim, c.kv_heads * c.head_dim, seeds(), c.bias);
  Linear value = Linear::xavier(c.context_dim, c.kv_heads * c.value_dim, seeds(), c.bias);
  std::optional<Linear> output;
  if (c.output_projection) output = Linear::xavier(c.heads * c.value_dim, c.model_dim, seeds(), c.bias);
  return {c, std::move(query), std::move(key), std::move(value), std::move(output)};
}

void MultiHeadAttention::project_query(const TensorView& x, const MutableTensorView& query, Engine& engine,
                                       Executor* executor) const {
  project("x", "query", query_, config_.heads, x, query, engine, executor);
}

void MultiHeadAttention::project_key(const TensorView& context, const MutableTensorView& key, Engine& engine,
                                     Executor* executor) const {
  project("context", "key", key_, config_.kv_heads, context, key, engine, executor);
}

void MultiHeadAttention::project_value(const TensorView& context, const MutableTensorView& value, Engine& engine,
                                       Executor* executor) const {
  project("context", "value", value_, config_.kv_heads, context, value, engine, executor);
}

void MultiHeadAttention::forward(const TensorView& x, const MutableTensorView& out, const AttentionOptions& options,
                                 Engine& engine, Executor* executor) const {
  if (config_.context_dim != config_.model_dim)
    refuse_argument("context", "is not given; the layer's context_dim, " + std::to_string(config_.context_dim) +
                                   ", differs from its model_dim, " + std::to_string(config_.model_dim));
  forward(x, x, out, options, engine, executor);
}

void MultiHeadAttention::forward(const TensorView& x, const TensorView& context, const MutableTensorView& out,
                                 const AttentionOptions& options, Engine& engine, Executor* executor) const {
  const MultiHeadAttentionConfig& c = config_;
  check_activations("x", x, c.model_dim);
  check_activations("context", context, c.context_dim);
  check_activations("out", out, output_ ? c.model_dim : c.heads * c.value_dim);
  if (options.cu_seqlens_q || options.cu_seqlens_k)
    refuse_argument("cu_seqlens", "is given; the layer takes [batch, sequence, features], not packed sequences");
  const std::int64_t batch = x.shape[0], queries = x.shape[1], keys = context.shape[1];
  if (context.shape[0] != batch)
    refuse_argument("context", "has batch " + std::to_string(context.shape[0]) + "; x has " + std::to_string(batch));
  if (out.shape[0] != batch || out.shape[1] != queries)
    refuse_argument("out", "is [" + std::to_string(out.shape[0]) + ", " + std::to_string(out.shape[1]) +
                               ", …]; x is [" + std::to_string(batch) + ", " + std::to_string(queries) + ", …]");
  for (const TensorView* input : {&x, &context})
    if (detail::has_elements(*input) && detail::has_elements(out) && detail::overlap(*input, out))
      refuse_argument("out", "shares memory with the input; it must lie apart");

  const Activations query(batch, queries, c.heads, c.head_dim);
  const Activations key(batch, keys, c.kv_heads, c.head_dim);
  const Activations value(batch, keys, c.kv_heads, c.value_dim);
  project_query(x, query.heads, engine, executor);
  project_key(context, key.heads, engine, executor);
  project_value(context, value.heads, engine, executor);

  if (!output_) {
    const MutableTensorView merged = view(out.as<float>(), bshd(batch, queries, c.heads, c.value_dim));
    engine.attention({query.heads, key.heads, value.heads, merged}, options, executor);
    return;
  }
  const Activations merged(batch, queries, c.heads, c.value_dim);
  engine.attention({query.heads, key.heads, value.heads, merged.heads}, options, executor);
  const TensorView features = view(merged.data.data(), contiguous({batch, queries, c.heads * c.value_dim}));
  const MutableTensorView one_head = view(out.as<float>(), bhsd(batch, 1, queries, c.model_dim));
  detail::apply(*output_, features, one_head, engine.machine(), executor != nullptr ? *executor : engine.executor());
}

}  // namespace attune
