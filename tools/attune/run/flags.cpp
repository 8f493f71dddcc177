#include "tools/attune/run/flags.hpp"

#include <tuple>

#include "tools/attune/numbers.hpp"

namespace attune::tool {
namespace {

constexpr std::int64_t most_repeats = 1'000'000;

constexpr const char* footer =
    R"(Tensors are .npy files, or tensors of .safetensors files by name. Query, key, value and out have rank 4 as
--layout says; rank 3 is the same without the batch, rank 2 is one head [sequence, dim]. The result has the
query's rank, and its dtype unless --out-dtype says f32; lse is [batch, heads, queries], weights are [batch, heads,
queries, keys], both f32. With --cu-seqlens-q and --cu-seqlens-k query, key, value and out are packed, [total_tokens,
heads, dim], and lse is [heads, total_tokens].
A result may be written to FILE.safetensors:NAME; without a name it is called out, lse or weights.

Examples:
  attune run --q q.npy --k k.npy --v v.npy --out out.npy
  attune run --q layer.safetensors:q --k layer.safetensors:k --v layer.safetensors:v \
             --out result.safetensors --causal --repeat 20
  attune run --q q.npy --k k.npy --v v.npy --out out.npy --window=-1,0 --weights weights.npy --backend naive
  attune run --q q.npy --k k.npy --v v.npy --out out.npy --cu-seqlens-q starts.npy --cu-seqlens-k starts.npy
  attune run --q q.npy --k k.npy --v v.npy --out out.npy --block-mask longformer.npy --block-size 64,64

Exit status: 0 done, 1 it failed, 2 the input or the command line was wrong (then nothing is written).)";

void declare_tensors(CLI::App& command, RunFlags& flags) {
  const auto tensor = [&](const char* name, auto& target, const char* words) {
    return command.add_option(name, target, words)->type_name("FILE[:TENSOR]");
  };
  tensor("--q", flags.query, "Query [B, H, Sq, D]: f32, f16, bf16 or f64")->required();
  tensor("--k", flags.key, "Key [B, Hkv, Sk, D]; H must be a multiple of Hkv")->required();
  tensor("--v", flags.value, "Value [B, Hkv, Sk, Dv]")->required();
  tensor("--out", flags.out, "Where the result goes, [B, H, Sq, Dv]")->required();
  tensor("--lse", flags.lse, "Also write the logarithm of each row's softmax denominator, [B, H, Sq]");
  tensor("--weights", flags.weights, "Also write the attention weights, [B, H, Sq, Sk]");
  tensor("--mask", flags.mask,
         "Mask, broadcast to [B, H, Sq, Sk]: bool or u8 (1: may attend), or f16, bf16, f32 (added to the score)");
  tensor("--alibi", flags.alibi, "ALiBi slopes, [H] or [B, H]");
  tensor("--sinks", flags.sinks, "One more logit for each head, without a value, [H]");
  auto* const map = tensor("--block-mask", flags.block_mask,
                           "Which blocks of queries and keys may be attended: bool or u8 (1: may), [B or 1, H or 1, "
                           "blocks of queries, blocks of keys]; leading sizes that are missing are 1");
  auto* const size =
      command.add_option("--block-size", flags.block_size, "Queries and keys in a block of --block-mask")
          ->type_name("BQ,BK");
  map->needs(size), size->needs(map);
  tensor("--key-lengths", flags.key_lengths, "Keys that count in each member of the batch, [B], i32 or i64");
  auto* const starts_q = tensor("--cu-seqlens-q", flags.cu_seqlens_q,
                                "First row of each packed member and behind them the total, [members + 1], i32 or i64; "
                                "query and out are then packed, [total_tokens, heads, dim]");
  auto* const starts_k = tensor("--cu-seqlens-k", flags.cu_seqlens_k, "The same of key and value");
  starts_q->needs(starts_k), starts_k->needs(starts_q);
}

void declare_element_order(CLI::App& command, RunFlags& flags) {
  command
      .add_option("--layout", flags.layout,
                  "Order of the sizes in the files of q, k, v and out (default: bhsd; not of packed ones)")
      ->check(CLI::IsMember({"bhsd", "bshd"}));
  command.add_option("--out-dtype", flags.out_dtype, "Element type of the result: the query's (the default) or f32")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "f64"}));
}

void declare_report(CLI::App& command, RunFlags& flags) {
  command.add_option("--repeat", flags.repeat, "Compute N times and report the median time")
      ->type_name("N")
      ->capture_default_str();
  command.add_flag("--json", flags.json, "Print the facts as JSON");
}

}  // namespace

void declare(CLI::App& command, RunFlags& flags) {
  declare_tensors(command, flags);
  declare_element_order(command, flags);
  declare_attention(command, flags);
  declare_execution(command, flags);
  declare_report(command, flags);
  command.footer(footer);
}

AttentionOptions options_of(const RunFlags& flags) {
  AttentionOptions options = options_of(static_cast<const AttentionFlags&>(flags));
  if (flags.block_size) {
    std::tie(options.block_queries, options.block_keys) = parse_pair("--block-size", *flags.block_size, "BQ,BK", 1);
  }
  return options;
}

std::optional<DType> out_dtype_of(const RunFlags& flags) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::f64}) {
    if (flags.out_dtype == name(dtype)) return dtype;
  }
  return std::nullopt;
}

int repeats_of(const RunFlags& flags) {
  return static_cast<int>(parse_integer("--repeat", flags.repeat, 1, most_repeats));
}

}  // namespace attune::tool
