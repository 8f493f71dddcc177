// What a person typed after `attune run`, and what it means to the engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "tools/attune/attention_flags.hpp"

namespace attune::tool {

/// As typed. Numbers stay text until everything is known to be there.
struct RunFlags : AttentionFlags {
  std::string query, key, value, out;
  std::optional<std::string> lse, weights;
  std::optional<std::string> mask, block_mask, alibi, sinks, key_lengths, cu_seqlens_q, cu_seqlens_k;
  std::optional<std::string> layout, out_dtype;
  std::optional<std::string> block_size;
  std::string repeat = "1";
  bool json = false;
};

/// Declares the options of `attune run`; they are stored into `flags`, which must outlive the parsing.
void declare(CLI::App& command, RunFlags& flags);

/// The options that need no tensor. Throws Error(invalid_argument).
AttentionOptions options_of(const RunFlags& flags);

/// Of the result; none: the query's.
std::optional<DType> out_dtype_of(const RunFlags& flags);

/// Throws Error(invalid_argument).
int repeats_of(const RunFlags& flags);

}  // namespace attune::tool
