#include "tools/attune/problem/sketch.hpp"

#include <algorithm>
#include <initializer_list>

#include "tools/attune/io/tensor.hpp"
#include "tools/attune/numbers.hpp"

namespace attune::tool {
namespace {

using Sizes = std::vector<std::int64_t>;

DType dtype_of(const char* option, const std::string& text, std::initializer_list<DType> taken) {
  std::string names;
  for (const DType dtype : taken) {
    if (text == name(dtype)) return dtype;
    names += (names.empty() ? "" : ", ") + std::string(name(dtype));
  }
  throw Error(ErrorCode::invalid_argument, std::string(option) + ": " + io::in_quotes(text) + " is none of " + names);
}

DType float_of(const char* option, const std::string& text) {
  return dtype_of(option, text, {DType::f32, DType::f16, DType::bf16, DType::f64});
}

DType mask_of(const std::string& text) {
  return dtype_of("--mask", text, {DType::boolean, DType::f32, DType::f16, DType::bf16, DType::f64});
}

TensorLayout layout_of(const Sizes& sizes, DType dtype) {
  TensorLayout layout = sizes.size() == 3 ? contiguous({sizes[0], sizes[1], sizes[2]})
                                          : contiguous({sizes[0], sizes[1], sizes[2], sizes[3]});
  layout.dtype = dtype;
  return layout;
}

Sizes shape(const char* option, const std::string& text, bool packed, const char* names, const char* packed_names) {
  const char* const wanted = packed ? packed_names : names;
  Sizes sizes = parse_integers(option, text, wanted, 0);
  if (sizes.size() == (packed ? 3u : 4u)) return sizes;
  throw Error(ErrorCode::invalid_argument, std::string(option) + ": " + io::in_quotes(text) + " has " +
                                               std::to_string(sizes.size()) + " sizes, must be " + wanted);
}

/// The call that the flags describe: shapes are real, but there are no elements behind them.
class Sketch {
 public:
  explicit Sketch(const ProblemFlags& flags) : flags_(flags), options_(options_of(flags)) {
    set_tensors();
    set_options();
  }

  Description describe() const { return attune::describe(tensors_, options_); }

 private:
  void set_tensors() {
    const bool packed = flags_.cu_seqlens_q || flags_.cu_seqlens_k;
    const DType dtype = float_of("--dtype", flags_.dtype.value_or("f32"));
    const Sizes query = shape("--q", flags_.query, packed, "B,H,Sq,D", "TOTAL,H,D");
    const Sizes key = shape("--k", flags_.key, packed, "B,Hkv,Sk,D", "TOTAL,Hkv,D");
    const Sizes value = flags_.value ? shape("--v", *flags_.value, packed, "B,Hkv,Sk,Dv", "TOTAL,Hkv,Dv") : key;
    Sizes out = query;
    out.back() = value.back();
    tensors_.query = {layout_of(query, dtype), nullptr};
    tensors_.key = {layout_of(key, dtype), nullptr};
    tensors_.value = {layout_of(value, dtype), nullptr};
    tensors_.out = nothing(layout_of(out, flags_.out_dtype ? float_of("--out-dtype", *flags_.out_dtype) : dtype));
  }

  void set_options() {
    const TensorLayout& q = tensors_.query;
    const TensorLayout& k = tensors_.key;
    const bool packed = q.rank == 3;
    if (packed) {
      options_.cu_seqlens_q = boundaries("--cu-seqlens-q", flags_.cu_seqlens_q, starts_q_);
      options_.cu_seqlens_k = boundaries("--cu-seqlens-k", flags_.cu_seqlens_k, starts_k_);
    }
    const std::int64_t batch = packed ? 0 : q.shape[0], queries = q.shape[packed ? 0 : 2], heads = q.shape[1];
    const std::int64_t keys = k.shape[packed ? 0 : 2];
    if (flags_.mask) options_.attn_mask = {layout_of({1, 1, queries, keys}, mask_of(*flags_.mask)), nullptr};
    if (flags_.block_mask) set_block_mask(packed ? longest(starts_q_) : queries, packed ? longest(starts_k_) : keys);
    if (flags_.alibi) options_.alibi_slopes = {contiguous({heads}), nullptr};
    if (flags_.sinks) options_.sinks = {contiguous({heads}), nullptr};
    if (flags_.key_lengths) {
      lengths_.assign(static_cast<std::size_t>(batch), keys);
      options_.key_lengths = indices(lengths_);
    }
    if (flags_.lse) options_.lse = nothing(packed ? contiguous({heads, queries}) : contiguous({batch, heads, queries}));
    if (flags_.weights) options_.weights = nothing(contiguous({batch, heads, queries, keys}));
  }

  void set_block_mask(std::int64_t queries, std::int64_t keys) {
    const auto [block_queries, block_keys] = parse_pair("--block-mask", *flags_.block_mask, "BQ,BK", 1);
    const auto blocks = [](std::int64_t count, std::int64_t size) { return count / size + (count % size != 0); };
    options_.block_mask = {layout_of({1, 1, blocks(queries, block_queries), blocks(keys, block_keys)}, DType::boolean),
                           nullptr};
    options_.block_queries = block_queries;
    options_.block_keys = block_keys;
  }

  static TensorView indices(const Sizes& values) {
    return view(values.data(), contiguous({static_cast<std::int64_t>(values.size())}));
  }

  static std::optional<TensorView> boundaries(const char* option, const std::optional<std::string>& text,
                                              Sizes& starts) {
    if (!text) return std::nullopt;  // the engine says that one needs the other
    starts = parse_integers(option, *text, "0,END,...", 0);
    return indices(starts);
  }

  static std::int64_t longest(const Sizes& starts) {
    std::int64_t result = 0;
    for (std::size_t i = 1; i < starts.size(); ++i) result = std::max(result, starts[i] - starts[i - 1]);
    return result;
  }

  static MutableTensorView nothing(const TensorLayout& layout) {
    MutableTensorView view;
    static_cast<TensorLayout&>(view) = layout;
    return view;
  }

  const ProblemFlags& flags_;
  AttentionOptions options_;
  Tensors tensors_;
  Sizes starts_q_, starts_k_, lengths_;
};

}  // namespace

void declare(CLI::App& command, ProblemFlags& flags) {
  command.add_option("--q", flags.query, "Shape of the query")->type_name("B,H,Sq,D");
  command.add_option("--k", flags.key, "Shape of the key; H must be a multiple of Hkv")->type_name("B,Hkv,Sk,D");
  command.add_option("--v", flags.value, "Shape of the value (default: the key's)")->type_name("B,Hkv,Sk,Dv");
  command.add_option("--dtype", flags.dtype, "Element type of query, key and value: f32 (the default), f16, bf16, f64")
      ->type_name("NAME");
  command.add_option("--out-dtype", flags.out_dtype, "Element type of the result: the query's (the default) or f32")
      ->type_name("NAME");
  declare_attention(command, flags);
  command.add_option("--mask", flags.mask, "With a mask: bool, or a type that is added to the scores: f32, f16 ...")
      ->type_name("NAME");
  command.add_option("--block-mask", flags.block_mask, "With a block-sparse mask of such blocks")->type_name("BQ,BK");
  command.add_flag("--alibi", flags.alibi, "With ALiBi slopes");
  command.add_flag("--sinks", flags.sinks, "With a sink for each head");
  command.add_flag("--key-lengths", flags.key_lengths, "With a number of keys for each member of the batch");
  command
      .add_option("--cu-seqlens-q", flags.cu_seqlens_q,
                  "First row of each packed member and behind them the total; --q and --k are then TOTAL,H,D")
      ->type_name("0,END,...");
  command.add_option("--cu-seqlens-k", flags.cu_seqlens_k, "The same of key and value")->type_name("0,END,...");
  command.add_flag("--lse", flags.lse, "The logarithm of the softmax's denominator is wanted too");
  command.add_flag("--weights", flags.weights, "The attention weights are wanted too");
  declare_execution(command, flags);
  command.add_flag("--reproducible", flags.reproducible,
                   "Let nothing but the machine's instruction set decide backend and variant");
}

Description describe(const ProblemFlags& flags) { return Sketch(flags).describe(); }

Selection selection_of(const ProblemFlags& flags) {
  return {flags.backend ? std::string_view(*flags.backend) : std::string_view(),
          flags.isa ? std::string_view(*flags.isa) : std::string_view(), flags.reproducible};
}

}  // namespace attune::tool
