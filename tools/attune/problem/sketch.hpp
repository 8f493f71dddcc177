// A problem told by shapes and flags, without tensors: what `attune explain` and `attune tune` are asked about.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <attune/engine.hpp>

#include "tools/attune/attention_flags.hpp"

namespace attune::tool {

/// As typed.
struct ProblemFlags : AttentionFlags {
  std::string query, key;
  std::optional<std::string> value;
  std::optional<std::string> dtype, out_dtype, mask, block_mask, cu_seqlens_q, cu_seqlens_k;
  bool alibi = false, sinks = false, key_lengths = false, lse = false, weights = false, reproducible = false;
};

/// The shapes and options of the problem, and those of AttentionFlags.
void declare(CLI::App& command, ProblemFlags& flags);

/// What the flags mean. Checked as the same call with tensors would be. Throws Error(invalid_argument).
Description describe(const ProblemFlags& flags);

/// What the flags force. The views are into the flags.
Selection selection_of(const ProblemFlags& flags);

}  // namespace attune::tool
