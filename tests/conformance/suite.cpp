#include "tests/conformance/suite.hpp"

#include <fnmatch.h>

#include <iterator>

namespace attune::conformance {
namespace {

bool matches(const std::string& case_name, const std::string& filter) {
  if (filter.empty()) return true;
  if (filter.find_first_of("*?[") == std::string::npos) return case_name.find(filter) != std::string::npos;
  return fnmatch(filter.c_str(), case_name.c_str(), 0) == 0;
}

/// The first trait of `needs` that the subject does not declare, as a reason to skip.
std::string undeclared(TraitSet needs, TraitSet declared) {
  for (std::uint64_t bit = 1; bit <= TraitSet::all().bits(); bit <<= 1) {
    const auto trait = static_cast<Trait>(bit);
    if (needs.has(trait) && !declared.has(trait)) return std::string("trait not declared: ") + name(trait);
  }
  return {};
}

}  // namespace

const char* name(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "PASS";
    case Verdict::fail:
      return "FAIL";
    case Verdict::skip:
      return "SKIP";
    case Verdict::crash:
      return "CRASH";
    case Verdict::timeout:
      return "TIMEOUT";
  }
  return "?";
}

std::vector<Case> select_cases(const Settings& settings) {
  std::vector<Case> selected, named;
  for (const auto part : {contract_cases, grid_cases, field_cases, option_cases, block_cases, extreme_cases, law_cases,
                          bit_cases, memory_cases, random_cases}) {
    for (Case& c : part()) {
      const bool in_tier = settings.tier == Tier::full || c.tier == Tier::quick;
      if (!in_tier || !matches(c.name, settings.filter)) continue;
      if (c.name == settings.filter) named.push_back(c);
      selected.push_back(std::move(c));
    }
  }
  return named.empty() ? selected : named;
}

Report run_case(const Case& c, const Subject& subject, const Backend& oracle, const Settings& settings) {
  Report report{c.name, Verdict::pass, undeclared(c.needs, subject.traits), 0};
  if (!report.message.empty()) {
    report.verdict = Verdict::skip;
    return report;
  }
  Session session(subject, oracle, settings.tier, settings.executors, seed_of(settings.seed, c.name));
  try {
    c.run(session);
  } catch (const Skipped& skipped) {
    report.verdict = Verdict::skip;
    report.message = skipped.what();
  } catch (const std::exception& error) {
    report.verdict = Verdict::fail;
    report.message = error.what();
  }
  report.worst_share = session.worst_share();
  return report;
}

}  // namespace attune::conformance
