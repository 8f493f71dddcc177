// `attune plugin check`: the conformance suite on a plugin.
#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <attune/engine.hpp>

#include "tools/attune/io/pending_file.hpp"
#include "tools/attune/io/tensor.hpp"
#include "tools/attune/numbers.hpp"
#include "tools/attune/plugin/check_json.hpp"
#include "tools/attune/plugin/check_load.hpp"
#include "tools/attune/plugin/check_run.hpp"
#include "tools/attune/plugin/check_text.hpp"
#include "tools/attune/plugin/plugin.hpp"
#include "tools/attune/terminal.hpp"

namespace attune::tool {
namespace {

using conformance::Case;
using conformance::Verdict;

constexpr std::int64_t most_jobs = 1024;
constexpr std::int64_t longest_timeout = 24 * 3600;
constexpr int findings_in_full = 20;

constexpr const char* footer =
    R"(Every case runs in a process of its own: what the plugin does there is a finding and touches nothing else.
  PASS     the result agrees with the definition, within a tolerance that is derived, row by row
  FAIL     it does not, or the plugin broke a rule; the reason says which
  CRASH    the process was killed or ended. Inputs end at unreadable pages: a read behind one is a SIGSEGV
  TIMEOUT  no verdict in --timeout seconds; after three of them the rest is not run
  SKIP     the plugin does not take the problem (its own reason), or does not promise what the case tests
A plugin that takes nothing does not pass. All of its instruction sets that this CPU can run are tested.

Examples:
  attune plugin check ./my_backend.so
  attune plugin check ./my_backend.so --filter 'grid/decode/*' --isa avx2
  attune plugin check ./my_backend.so --tier full --json findings.json

Exit status: 0 the plugin passes, 1 it does not, 2 the file cannot be loaded or the command line was wrong.)";

/// As on the command line.
struct CheckFlags {
  std::string file, filter, isa, json;
  std::string tier = "quick", seed = "1", timeout = "30";
  std::string jobs;
  bool list = false;
};

void declare(CLI::App& command, CheckFlags& flags) {
  command.add_option("FILE", flags.file, "The plugin, a shared library")->type_name("");
  command
      .add_option("--filter", flags.filter, "Only this case, or cases whose name matches this glob or holds this text")
      ->type_name("NAME");
  command.add_flag("--list", flags.list, "List the cases and stop; needs no FILE");
  command.add_option("--isa", flags.isa, "Only the variant for this instruction set (see attune backends)")
      ->type_name("NAME");
  command
      .add_option("--tier", flags.tier,
                  "How much: quick, or full, with more sizes, pairs of options and random problems")
      ->check(CLI::IsMember({"quick", "full"}))
      ->capture_default_str();
  command.add_option("--seed", flags.seed, "Of every random number")->type_name("N")->capture_default_str();
  command.add_option("--jobs", flags.jobs, "Cases at a time (default: the number of cores)")->type_name("N");
  command.add_option("--timeout", flags.timeout, "Seconds for one case")->type_name("N")->capture_default_str();
  command.add_option("--json", flags.json, "Write the findings as JSON to this file, or with - to standard output")
      ->type_name("FILE|-");
  command.footer(footer);
}

CheckRequest request_of(const CheckFlags& flags) {
  CheckRequest request;
  request.file = flags.file;
  request.isa = flags.isa;
  request.json = flags.json;
  request.settings.tier = flags.tier == "full" ? conformance::Tier::full : conformance::Tier::quick;
  request.settings.filter = flags.filter;
  request.settings.seed =
      static_cast<std::uint64_t>(parse_integer("--seed", flags.seed, 0, std::numeric_limits<std::int64_t>::max()));
  request.limits.time = std::chrono::seconds(parse_integer("--timeout", flags.timeout, 1, longest_timeout));
  request.limits.jobs = flags.jobs.empty() ? Machine::detect().cores
                                           : static_cast<int>(parse_integer("--jobs", flags.jobs, 1, most_jobs));
  return request;
}

std::vector<Case> cases_of(const CheckRequest& request) {
  std::vector<Case> cases = select_cases(request.settings);
  if (cases.empty())
    throw Error(ErrorCode::invalid_argument, fmt::format("--filter: no case of this tier matches {}; --list shows them",
                                                         io::in_quotes(request.settings.filter)));
  return cases;
}

void check_json_destination(const std::string& json) {
  if (!json.empty() && json != "-") io::check_destination(json);
}

/// Why the file cannot be tested.
std::string words_of(const CheckRequest& request, const LoadFinding& finding) {
  std::string text = finding.reason;
  if (finding.verdict != Verdict::fail)
    text = fmt::format("{} when it is loaded: {}", name(finding.verdict), finding.reason);
  if (const std::string words = last_words(finding.printed); !words.empty()) text += "; it printed " + words;
  return fmt::format("{} cannot be loaded: {}", io::in_quotes(request.file), text);
}

/// Runs the cases and tells what comes of them, as text unless JSON goes to standard output.
CheckTally run_and_tell(const CheckRequest& request, const PluginFacts& facts, const std::vector<Case>& cases,
                        const std::vector<CheckVariant>& variants, CheckJson& json) {
  const bool text = request.json != "-";
  CheckTally tally;
  Progress progress;
  const Interruptible interruptible;
  const auto start = test::Child::Clock::now();
  const auto on_result = [&](const CheckResult& result) {
    tally.add(result);
    json.add(result);
    if (!text || !is_caught(result.report.verdict) || tally.faults() > findings_in_full) return;
    progress.clear();
    print_finding(request, result);
  };
  const auto on_end = [&](std::size_t ended, std::size_t total) {
    const double share = static_cast<double>(ended) / static_cast<double>(total);
    const double seconds = std::chrono::duration<double>(test::Child::Clock::now() - start).count();
    progress.show(share, seconds / share - seconds, fmt::format("{}/{}, {} bad", ended, total, tally.faults()));
    return !Interruptible::asked_to_stop();
  };
  if (text) print_facts(request, facts, variants);
  run_cases(request, facts, cases, variants, on_result, on_end);
  progress.clear();
  if (text && tally.faults() > findings_in_full)
    fmt::print("… and {} more: --json tells all of them\n", tally.faults() - findings_in_full);
  if (text && tally.faults() > 0) fmt::print("\n");
  if (text) print_sum(tally, variants);
  return tally;
}

/// Empty if the plugin passes.
std::string why_not(const CheckTally& tally) {
  if (tally.faults() == 0 && Interruptible::asked_to_stop()) return "interrupted before all cases had run";
  return tally.why_not();
}

void check(const CheckRequest& request) {
  const std::vector<Case> cases = cases_of(request);
  check_json_destination(request.json);
  CheckJson json(request);
  const LoadFinding finding = examine(request);
  json.add(finding);
  if (finding.verdict != Verdict::pass) {
    const std::string words = words_of(request, finding);
    json.write(CheckTally(), words);
    throw Error(ErrorCode::invalid_argument, words);
  }
  const std::vector<CheckVariant> variants = variants_to_check(request, finding.facts, Machine::detect());
  json.add(variants);
  const CheckTally tally = run_and_tell(request, finding.facts, cases, variants, json);
  const std::string reason = why_not(tally);
  json.write(tally, reason);
  if (!reason.empty())
    throw Error(ErrorCode::backend_failed, fmt::format("{} does not pass: {}", io::in_quotes(request.file), reason));
  if (request.json != "-") fmt::print("{} passes.\n", request.file);
}

void list_cases(const CheckRequest& request) {
  for (const Case& c : cases_of(request)) fmt::print("{}\n", c.name);
}

}  // namespace

void add_plugin_check(CLI::App& group) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* command = group.add_subcommand("check", "Run the conformance suite on a plugin");
  declare(*command, *flags);
  command->callback([flags] {
    const CheckRequest request = request_of(*flags);
    if (flags->list) return list_cases(request);
    if (request.file.empty()) throw Error(ErrorCode::invalid_argument, "FILE: which plugin is to be checked?");
    check(request);
  });
}

}  // namespace attune::tool
