#include "tools/attune/plugin/check_text.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/attune/io/tensor.hpp"

namespace attune::tool {
namespace {

using conformance::Verdict;

/// For a shell: as it is where that is harmless, else in single quotes.
std::string quoted(const std::string& word) {
  constexpr std::string_view harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+=@%";
  if (!word.empty() && word.find_first_not_of(harmless) == std::string::npos) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

std::string command_for(const CheckRequest& request, const CheckResult& result) {
  return fmt::format("attune plugin check {} --isa {} --filter {} --seed {}{}", quoted(request.file), name(result.isa),
                     quoted(result.report.name), request.settings.seed,
                     request.settings.tier == conformance::Tier::full ? " --tier full" : "");
}

std::vector<std::string> names_of(TraitSet traits) {
  std::vector<std::string> names;
  for (std::uint64_t bit = 1; bit <= TraitSet::all().bits(); bit <<= 1)
    if (const auto trait = static_cast<Trait>(bit); traits.has(trait)) names.push_back(name(trait));
  return names;
}

std::string last_words(const std::string& printed) {
  constexpr std::size_t most = 100;  // of which a message has its point at the end
  const std::size_t end = printed.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return {};
  std::string words = printed.substr(0, end + 1);
  words.erase(0, words.size() - std::min(words.size(), most));
  std::replace(words.begin(), words.end(), '\n', ' ');
  return io::in_quotes(words);
}

void print_facts(const CheckRequest& request, const PluginFacts& facts, const std::vector<CheckVariant>& variants) {
  fmt::print("{}: backend {}, {}\n", request.file, facts.name, facts.description);
  const auto promises = names_of(facts.traits);
  fmt::print("promises: {}\n", promises.empty() ? "nothing" : fmt::format("{}", fmt::join(promises, ", ")));
  for (const CheckVariant& variant : variants) {
    fmt::print("variant {}{}{}\n", name(variant.isa), variant.hindrance.empty() ? "" : ": not tested, ",
               variant.hindrance);
  }
  fmt::print("\n");
  std::fflush(stdout);
}

void print_finding(const CheckRequest& request, const CheckResult& result) {
  const auto& report = result.report;
  fmt::print("{:<7} {} {}: {}\n", name(report.verdict), name(result.isa), report.name, report.message);
  const std::string words = report.verdict == Verdict::fail ? "" : last_words(report.printed);
  if (!words.empty()) fmt::print("        it printed {}\n", words);
  fmt::print("        again: {}\n", command_for(request, result));
  std::fflush(stdout);
}

void print_sum(const CheckTally& tally, const std::vector<CheckVariant>& variants) {
  if (!tally.skips().empty()) fmt::print("Skipped, by reason:\n");
  for (const auto& [reason, count] : tally.skips()) fmt::print("{:>6}  {}\n", count, reason);
  if (!tally.skips().empty()) fmt::print("\n");
  for (const CheckVariant& variant : variants) {
    if (!variant.hindrance.empty()) continue;
    fmt::print("{:<12}", name(variant.isa));
    for (const Verdict verdict : all_verdicts) fmt::print("  {} {}", tally.count(variant.isa, verdict), name(verdict));
    fmt::print("\n");
  }
  if (tally.worst_share() > 0) {
    fmt::print("The largest error was {:.2f} of its tolerance ({}).\n", tally.worst_share(), tally.worst_case());
  }
}

}  // namespace attune::tool
