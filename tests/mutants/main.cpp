// Runs the conformance suite on the healthy specimen, which must pass, and on every mutant, which must not.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include <attune/engine.hpp>

#include "tests/conformance/suite.hpp"
#include "tests/mutants/linear_specimen.hpp"
#include "tests/mutants/specimen.hpp"

namespace {

using namespace attune::conformance;
using attune::mutants::Bug;
using attune::mutants::Mutant;

constexpr std::chrono::seconds case_limit{60};

struct Laboratory {
  std::shared_ptr<const attune::Backend> oracle;
  attune::Machine machine;
  Settings settings;
  bool all_cases = false;

  Subject make(Bug bug) const { return {std::make_shared<attune::mutants::Specimen>(bug), machine, TraitSet::all()}; }
  Report examine(const Case& c, const Subject& subject) const {
    return run_case_isolated(c, subject, *oracle, settings, case_limit);
  }
};

/// In an order drawn from the seed: a mutant that few cases catch is then not found at the very end.
std::vector<Case> shuffled(std::vector<Case> cases, std::uint64_t seed) {
  Random random(seed);
  for (std::size_t i = cases.size(); i > 1; --i)
    std::swap(cases[i - 1], cases[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(i) - 1))]);
  return cases;
}

bool healthy_passes(const Laboratory& laboratory, const std::vector<Case>& cases) {
  int passed = 0, caught = 0;
  for (const Case& c : cases) {
    const Report report = laboratory.examine(c, laboratory.make(Bug::none));
    if (report.verdict == Verdict::pass) ++passed;
    if (!is_caught(report.verdict)) continue;
    ++caught;
    std::printf("healthy: %s %s: %s\n", name(report.verdict), report.name.c_str(), report.message.c_str());
  }
  std::printf("%-26s passes %d cases\n", "healthy", passed);
  return caught == 0 && passed > 0;
}

bool is_caught_by_suite(const Laboratory& laboratory, const Mutant& mutant, const std::vector<Case>& cases) {
  Report first;
  int caught = 0, run = 0;
  for (const Case& c : cases) {
    const Report report = laboratory.examine(c, laboratory.make(mutant.bug));
    if (report.verdict != Verdict::skip) ++run;
    if (!is_caught(report.verdict)) continue;
    if (caught++ == 0) first = report;
    if (!laboratory.all_cases) break;
  }
  if (caught == 0) {
    std::printf("%-26s SURVIVES %d cases: %s\n", mutant.name, run, mutant.description);
    return false;
  }
  std::printf("%-26s %-7s %s\n", mutant.name, name(first.verdict), first.name.c_str());
  std::printf("%-26s   %s\n", "", mutant.description);
  std::printf("%-26s   %s\n", "", first.message.substr(0, 150).c_str());
  if (laboratory.all_cases) std::printf("%-26s   caught by %d of %d cases\n", "", caught, run);
  std::fflush(stdout);
  return true;
}

/// The first case that finds something wrong, and what; empty: none does.
std::string linear_verdict(attune::mutants::LinearBug bug) {
  const attune::test::LinearFunction specimen = attune::mutants::linear_specimen(bug);
  for (const auto& c : attune::test::linear_conformance_cases())
    if (const std::string fault = c.fault(specimen); !fault.empty()) return c.name + ": " + fault;
  return {};
}

struct Count {
  int caught = 0, tried = 0;
};

/// Those of linear attention; the healthy one must pass. They do not crash, so they need no process of their own.
bool run_linear(const std::string& only, Count& count) {
  const std::string healthy = only.empty() ? linear_verdict(attune::mutants::LinearBug::none) : "";
  if (!healthy.empty()) std::printf("healthy linear attention: %s\n", healthy.c_str());
  for (const attune::mutants::LinearMutant& mutant : attune::mutants::linear_mutants) {
    const std::string name = std::string("linear.") + mutant.name;
    if (!only.empty() && only != name) continue;
    const std::string verdict = linear_verdict(mutant.bug);
    ++count.tried;
    if (!verdict.empty()) ++count.caught;
    std::printf("%-26s %s\n%-26s   %s\n", name.c_str(), verdict.empty() ? "SURVIVES" : verdict.substr(0, 150).c_str(),
                "", mutant.description);
  }
  return healthy.empty();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Checks that the conformance suite catches backends with deliberate bugs."};
  Laboratory laboratory;
  std::string only, executors = "all";
  app.add_option("--seed", laboratory.settings.seed, "Of every random number")->capture_default_str();
  app.add_option("--filter", laboratory.settings.filter, "Only cases whose name holds this, or matches this glob");
  app.add_option("--only", only, "One mutant by its name");
  app.add_flag("--all-cases", laboratory.all_cases, "Do not stop at the first case that catches a mutant: count them");
  app.add_option("--executors", executors, "threads: real threads only")->check(CLI::IsMember({"threads", "all"}));
  CLI11_PARSE(app, argc, argv);
  if (executors == "threads") laboratory.settings.executors = Executors::threads;

  const attune::Engine engine{attune::Engine::Config{}};
  laboratory.machine = engine.machine();
  for (const auto& backend : engine.backends())
    if (backend->name() == "naive") laboratory.oracle = backend;
  const std::vector<Case> cases = shuffled(select_cases(laboratory.settings), laboratory.settings.seed);

  bool good = !only.empty() || healthy_passes(laboratory, cases);
  Count count;
  for (const Mutant& mutant : attune::mutants::mutants) {
    if (!only.empty() && only != mutant.name) continue;
    ++count.tried;
    if (is_caught_by_suite(laboratory, mutant, cases)) ++count.caught;
  }
  good = run_linear(only, count) && good;
  std::printf("\n%d of %d mutants caught.\n", count.caught, count.tried);
  return good && count.caught == count.tried && count.tried > 0 ? 0 : 1;
}
