// The suite: its cases, and what became of them. Two programs show it: the ctest front in main.cpp, and whatever
// checks a backend from outside.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/session.hpp"
#include "tests/support/child.hpp"

namespace attune::conformance {

struct Case {
  std::string name;  // "part/what/parameters"
  Tier tier = Tier::quick;
  std::function<void(Session&)> run;  // returns if it passed; throws Failure or Skipped
  TraitSet needs = {};                // the trait it tests, if any
};

enum class Verdict { pass, fail, skip, crash, timeout };
const char* name(Verdict verdict);
constexpr bool is_caught(Verdict verdict) { return verdict != Verdict::pass && verdict != Verdict::skip; }

struct Report {
  std::string name;
  Verdict verdict = Verdict::pass;
  std::string message;     // why not pass
  double worst_share = 0;  // the largest error as a share of the tolerance
};

struct Settings {
  Tier tier = Tier::quick;
  std::string filter;  // the name of a case, else a glob, else part of names; empty: all
  std::uint64_t seed = 1;
  Executors executors = Executors::all;
};

/// The cases of a tier (full includes quick) whose name matches, in order.
std::vector<Case> select_cases(const Settings& settings);

Report run_case(const Case& c, const Subject& subject, const Backend& oracle, const Settings& settings);

/// In a child process, so that a crash or an endless loop is a verdict. The calling process must have one thread.
Report run_case_isolated(const Case& c, const Subject& subject, const Backend& oracle, const Settings& settings,
                         std::chrono::seconds limit);

/// A case whose subject is made in the child as well: nothing of it has to work.
struct IsolatedCase {
  const Case* which = nullptr;
  std::function<Subject()> subject;  // throws where there is none: a FAIL
};

struct IsolatedReport : Report {
  std::string printed;  // the end of what the child wrote to its standard streams
  double seconds = 0;
};

/// Several, each in a child, limits.jobs at a time; done(index, report) is called as they end, in any order, and says
/// whether to go on. The calling process must have one thread.
void run_cases_isolated(const std::vector<IsolatedCase>& cases, const Backend& oracle, const Settings& settings,
                        const test::ChildLimits& limits,
                        const std::function<bool(std::size_t, const IsolatedReport&)>& done);

// The parts of the suite, a file each.
std::vector<Case> grid_cases();
std::vector<Case> field_cases();
std::vector<Case> option_cases();
std::vector<Case> block_cases();
std::vector<Case> extreme_cases();
std::vector<Case> random_cases();
std::vector<Case> law_cases();  // up to rounding
std::vector<Case> bit_cases();  // bit by bit
std::vector<Case> memory_cases();
std::vector<Case> contract_cases();

}  // namespace attune::conformance
