// What `attune plugin check` tells people: findings as they come, the sum at the end.
#pragma once

#include <string>
#include <vector>

#include "tools/attune/plugin/check_load.hpp"
#include "tools/attune/plugin/check_run.hpp"
#include "tools/attune/plugin/check_tally.hpp"

namespace attune::tool {

/// The command that runs this one case again, quoted for a shell.
std::string command_for(const CheckRequest& request, const CheckResult& result);

std::vector<std::string> names_of(TraitSet traits);

/// The last words of what a file printed, in quotes; empty if it printed nothing.
std::string last_words(const std::string& printed);

/// Who the plugin is and what it promises.
void print_facts(const CheckRequest& request, const PluginFacts& facts, const std::vector<CheckVariant>& variants);

/// A finding other than PASS and SKIP, and how to see it again.
void print_finding(const CheckRequest& request, const CheckResult& result);

void print_sum(const CheckTally& tally, const std::vector<CheckVariant>& variants);

}  // namespace attune::tool
