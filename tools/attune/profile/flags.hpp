// What a person typed after `attune profile`, and what it means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <attune/engine.hpp>

#include "tools/attune/profile/measure.hpp"

namespace attune::tool::profile {

struct Flags {
  std::string sequence = "128:16384";
  std::vector<std::string> backends{"all"};
  std::vector<std::string> variants{"full", "causal", "window:512", "block-sparse:bigbird"};
  std::string mode = "prefill", dtype = "f32", isa;
  std::string batch = "1", heads = "8", head_dim = "64";
  std::optional<std::string> kv_heads, queries, threads;
  double seconds = 60;
  std::optional<double> time_limit;
  std::optional<std::uint64_t> memory_limit;

  bool json = false, csv = false;
  std::string html, plots;
  std::string load;                  // a profile to show instead of measuring one
  std::vector<std::string> compare;  // two of them
};

void declare(CLI::App& command, Flags& flags);

/// --time-limit and --memory-limit, which a loaded profile takes too. Throws Error(invalid_argument).
void set_limits(const Flags& flags, Setting& setting);

/// Throws Error(invalid_argument).
Request request_of(const Flags& flags, const Engine& engine);

}  // namespace attune::tool::profile
