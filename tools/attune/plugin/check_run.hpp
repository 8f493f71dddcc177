// The cases of the suite on the variants of a plugin, a process each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/attune/plugin/check_request.hpp"

namespace attune::tool {

/// A plugin's kernels for one instruction set.
struct CheckVariant {
  Isa isa = Isa::generic;
  std::string hindrance;  // why it is not tested; empty: it is
};

/// The variants that the request asks for. Throws Error(invalid_argument) for one that the plugin does not hold.
std::vector<CheckVariant> variants_to_check(const CheckRequest& request, const PluginFacts& facts,
                                            const Machine& machine);

/// Runs them all. on_result is called for every one, in the order of variants and cases; on_end as they end, in any
/// order, with how many have, and says whether to go on. What is not run, because of that or after a few timeouts, is a
/// SKIP with the reason.
void run_cases(const CheckRequest& request, const PluginFacts& facts, const std::vector<conformance::Case>& cases,
               const std::vector<CheckVariant>& variants, const std::function<void(const CheckResult&)>& on_result,
               const std::function<bool(std::size_t ended, std::size_t total)>& on_end);

}  // namespace attune::tool
