// The options of a command that say what kind of attention is meant and what is to compute it.
#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <attune/engine.hpp>

namespace attune::tool {

/// As typed. Numbers stay text until everything is known to be there.
struct AttentionFlags {
  bool causal = false;
  std::optional<std::string> align, scale, window, softcap;
  std::optional<std::string> backend, isa, threads;
};

/// --causal, --align, --scale, --window, --softcap; stored into `flags`, which must outlive the parsing.
void declare_attention(CLI::App& command, AttentionFlags& flags);

/// --backend, --isa, --threads.
void declare_execution(CLI::App& command, AttentionFlags& flags);

/// What was declared above. Throws Error(invalid_argument).
AttentionOptions options_of(const AttentionFlags& flags);

/// None: the engine's own number. Throws Error(invalid_argument).
std::optional<int> threads_of(const AttentionFlags& flags);

}  // namespace attune::tool
