#include "tools/attune/run/inputs.hpp"

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "tools/attune/io/tensor_file.hpp"

namespace attune::tool {
namespace {

using io::Tensor;

constexpr std::initializer_list<DType> floats{DType::f32, DType::f16, DType::bf16, DType::f64};

Tensor read(const char* option, const std::string& spec, std::initializer_list<DType> taken) {
  try {
    Tensor tensor = io::read_tensor(spec);
    if (std::find(taken.begin(), taken.end(), tensor.dtype) != taken.end()) return tensor;
    std::string names;
    for (const DType dtype : taken) names += (names.empty() ? "" : ", ") + std::string(name(dtype));
    throw Error(ErrorCode::invalid_argument,
                io::in_quotes(spec) + " holds " + name(tensor.dtype) + ", must be one of " + names);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(option) + " " + error.what());
  }
}

Tensor read_attention_tensor(const char* option, const std::string& spec, Layout layout) {
  Tensor tensor = read(option, spec, floats);
  try {
    attention_layout(tensor.shape, layout);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(option) + " " + io::in_quotes(spec) + " " + error.what());
  }
  return tensor;
}

/// NumPy and torch users store masks as bytes too; 0 and 1 mean the same there as in a bool.
Tensor read_mask(const char* option, const std::string& spec, std::initializer_list<DType> taken) {
  Tensor mask = read(option, spec, taken);
  if (mask.dtype != DType::u8) return mask;
  const auto wrong =
      std::find_if(mask.bytes.begin(), mask.bytes.end(), [](std::byte value) { return value > std::byte{1}; });
  if (wrong != mask.bytes.end()) {
    throw Error(ErrorCode::invalid_argument, std::string(option) + " " + io::in_quotes(spec) + " is u8 and holds " +
                                                 std::to_string(std::to_integer<int>(*wrong)) +
                                                 ", must be 0 (masked) or 1 (may attend)");
  }
  mask.dtype = DType::boolean;
  return mask;
}

/// [blocks of queries, blocks of keys] as it is with one head, or with one member and all their heads.
void add_leading_sizes(Tensor& map) {
  if (map.shape.size() < max_rank) map.shape.insert(map.shape.begin(), max_rank - map.shape.size(), 1);
}

Layout layout_of(const RunFlags& flags) {
  const bool packed = flags.cu_seqlens_q || flags.cu_seqlens_k;
  if (packed && flags.layout) {
    throw Error(ErrorCode::invalid_argument,
                "--layout: does not go with --cu-seqlens-q; packed tensors are [total_tokens, heads, dim]");
  }
  if (packed) return Layout::packed;
  return flags.layout == "bshd" ? Layout::bshd : Layout::bhsd;
}

template <typename Half>
Tensor widened(const Tensor& narrow) {
  Tensor wide = io::make_tensor(DType::f32, narrow.shape);
  for (std::size_t i = 0; i < narrow.bytes.size() / sizeof(Half); ++i) {
    Half half;
    std::memcpy(&half, &narrow.bytes[i * sizeof(Half)], sizeof(Half));
    const float value = to_float(half);
    std::memcpy(&wide.bytes[i * sizeof(float)], &value, sizeof(float));
  }
  return wide;
}

/// Slopes and sinks are f32 to the engine; models of 16 bits store them as 16 bits, which fit exactly.
Tensor read_per_head(const char* option, const std::string& spec) {
  Tensor tensor = read(option, spec, {DType::f32, DType::f16, DType::bf16});
  if (tensor.dtype == DType::f16) return widened<float16>(tensor);
  if (tensor.dtype == DType::bf16) return widened<bfloat16>(tensor);
  return tensor;
}

}  // namespace

TensorView RunInputs::view_of(const Tensor& tensor) const {
  TensorLayout axes = attention_layout(tensor.shape, layout);
  axes.dtype = tensor.dtype;
  return {axes, tensor.bytes.data()};
}

void RunInputs::attach_to(AttentionOptions& options) const {
  if (mask) options.attn_mask = mask->view();
  if (block_mask) options.block_mask = block_mask->view();
  if (alibi) options.alibi_slopes = alibi->view();
  if (sinks) options.sinks = sinks->view();
  if (key_lengths) options.key_lengths = key_lengths->view();
  if (cu_seqlens_q) options.cu_seqlens_q = cu_seqlens_q->view();
  if (cu_seqlens_k) options.cu_seqlens_k = cu_seqlens_k->view();
}

RunInputs read_inputs(const RunFlags& flags) {
  RunInputs inputs;
  inputs.layout = layout_of(flags);
  inputs.query = read_attention_tensor("--q", flags.query, inputs.layout);
  inputs.key = read_attention_tensor("--k", flags.key, inputs.layout);
  inputs.value = read_attention_tensor("--v", flags.value, inputs.layout);
  if (flags.mask) {
    inputs.mask =
        read_mask("--mask", *flags.mask, {DType::boolean, DType::u8, DType::f16, DType::bf16, DType::f32, DType::f64});
  }
  if (flags.block_mask) {
    inputs.block_mask = read_mask("--block-mask", *flags.block_mask, {DType::boolean, DType::u8});
    add_leading_sizes(*inputs.block_mask);
  }
  if (flags.alibi) inputs.alibi = read_per_head("--alibi", *flags.alibi);
  if (flags.sinks) inputs.sinks = read_per_head("--sinks", *flags.sinks);
  const auto read_indices = [](const char* option, const std::optional<std::string>& spec) -> std::optional<Tensor> {
    if (!spec) return std::nullopt;
    return read(option, *spec, {DType::i32, DType::i64});
  };
  inputs.key_lengths = read_indices("--key-lengths", flags.key_lengths);
  inputs.cu_seqlens_q = read_indices("--cu-seqlens-q", flags.cu_seqlens_q);
  inputs.cu_seqlens_k = read_indices("--cu-seqlens-k", flags.cu_seqlens_k);
  return inputs;
}

}  // namespace attune::tool
