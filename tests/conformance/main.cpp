// The ctest front of the suite: every case on one backend, in one instruction set.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include <attune/engine.hpp>
#include <attune/plugins.hpp>

#include "tests/conformance/suite.hpp"

namespace {

using namespace attune::conformance;

constexpr int passed = 0, failed = 1, wrong_usage = 2, cannot_run_here = 77;  // 77: what ctest shows as skipped

struct Choice {
  std::string backend = "naive";
  std::string plugin;
  std::string isa;
  bool list = false;
  bool isolate = false;
  bool failures_only = false;
  Settings settings;
};

std::shared_ptr<const attune::Backend> find(const attune::Engine& engine, const std::string& name) {
  for (const auto& backend : engine.backends())
    if (backend->name() == name) return backend;
  return nullptr;
}

bool contains(const std::vector<attune::Isa>& isas, attune::Isa isa) {
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

/// Sets the instruction set to test; otherwise says why it cannot be tested here.
std::string choose_isa(const std::string& wanted, Subject& subject) {
  const std::vector<attune::Isa> has_kernels = subject.backend->instruction_sets();
  if (wanted.empty()) return {};
  for (const attune::Isa isa : has_kernels) {
    if (wanted != attune::name(isa)) continue;
    subject.machine.isa = isa;
    return contains(subject.machine.isas, isa) ? "" : "this machine lacks " + wanted;
  }
  return std::string(subject.backend->name()) + " holds no kernels for " + wanted;
}

int parse(int argc, char** argv, Choice& choice) {
  CLI::App app{"Runs the conformance suite on a backend."};
  std::string tier = "quick", executors = "all";
  app.add_option("--backend", choice.backend, "The backend to test")->capture_default_str();
  app.add_option("--plugin", choice.plugin, "Test the backend in this shared library, on what it promises itself");
  app.add_option("--isa", choice.isa, "Its instruction set, for example avx2; default: the best of this machine");
  app.add_option("--tier", tier, "How much")->check(CLI::IsMember({"quick", "full"}))->capture_default_str();
  app.add_option("--filter", choice.settings.filter, "Only cases whose name holds this, or matches this glob");
  app.add_option("--seed", choice.settings.seed, "Of every random number")->capture_default_str();
  app.add_option("--executors", executors, "threads: real threads only (for ThreadSanitizer)")
      ->check(CLI::IsMember({"threads", "all"}))
      ->capture_default_str();
  app.add_flag("--list", choice.list, "List the cases and stop");
  app.add_flag("--isolate", choice.isolate, "Run each case in a process of its own: a crash is a verdict");
  app.add_flag("--failures-only", choice.failures_only, "Do not print what passed or was skipped");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? -1 : wrong_usage;
  }
  choice.settings.tier = tier == "full" ? Tier::full : Tier::quick;
  choice.settings.executors = executors == "threads" ? Executors::threads : Executors::all;
  return passed;
}

/// From here on the plugin's backend is the one to test.
bool load_plugin(attune::Engine& engine, Choice& choice) {
  attune::PluginSearch search;
  search.files = {choice.plugin};
  search.folders = false;
  const attune::PluginFile file = engine.load_plugins(search).files.at(0);
  choice.backend = file.backend;
  if (file.state != attune::PluginState::loaded)
    std::fprintf(stderr, "%s: %s: %s\n", choice.plugin.c_str(), name(file.state), file.reason.c_str());
  return file.state == attune::PluginState::loaded;
}

void print(const Report& report) {
  std::printf("%-7s %s%s%s\n", name(report.verdict), report.name.c_str(), report.message.empty() ? "" : ": ",
              report.message.c_str());
  std::fflush(stdout);
}

/// Counts verdicts, and skips by reason.
class Summary {
 public:
  void add(const Report& report) {
    ++counts_[report.verdict];
    if (report.verdict == Verdict::skip) ++skips_[report.message];
    if (report.worst_share <= worst_share_) return;
    worst_share_ = report.worst_share;
    worst_case_ = report.name;
  }

  bool good() const {
    for (const auto& [verdict, count] : counts_)
      if (is_caught(verdict)) return false;
    return counts_.contains(Verdict::pass);  // a backend that takes nothing does not pass
  }

  void print_all() const {
    if (!skips_.empty()) std::printf("\nSkipped, by reason:\n");
    for (const auto& [reason, count] : skips_) std::printf("%6d  %s\n", count, reason.c_str());
    std::printf("\n");
    for (const auto& [verdict, count] : counts_) std::printf("%d %s  ", count, name(verdict));
    std::printf("\nThe largest error was %.2f of its tolerance (%s).\n", worst_share_, worst_case_.c_str());
    if (!counts_.contains(Verdict::pass)) std::printf("No case passed: a backend that takes nothing does not pass.\n");
  }

 private:
  std::map<Verdict, int> counts_;
  std::map<std::string, int> skips_;
  double worst_share_ = 0;
  std::string worst_case_ = "everywhere";
};

int run_all(const Choice& choice, const Subject& subject, const attune::Backend& oracle) {
  Summary summary;
  for (const Case& c : select_cases(choice.settings)) {
    const Report report = choice.isolate
                              ? run_case_isolated(c, subject, oracle, choice.settings, std::chrono::seconds(60))
                              : run_case(c, subject, oracle, choice.settings);
    summary.add(report);
    if (is_caught(report.verdict) || !choice.failures_only) print(report);
  }
  summary.print_all();
  return summary.good() ? passed : failed;
}

}  // namespace

int main(int argc, char** argv) {
  Choice choice;
  if (const int status = parse(argc, argv, choice); status != passed) return std::max(status, 0);
  if (choice.list) {
    for (const Case& c : select_cases(choice.settings)) std::printf("%s\n", c.name.c_str());
    return passed;
  }
  attune::Engine engine{attune::Engine::Config{}};
  if (!choice.plugin.empty() && !load_plugin(engine, choice)) return failed;
  Subject subject{find(engine, choice.backend), engine.machine(), TraitSet::all()};
  if (!choice.plugin.empty()) subject.traits = subject.backend->traits();
  const auto oracle = find(engine, "naive");
  if (subject.backend == nullptr || oracle == nullptr) {
    std::fprintf(stderr, "There is no backend called %s; there are:", choice.backend.c_str());
    for (const auto& backend : engine.backends()) std::fprintf(stderr, " %s", std::string(backend->name()).c_str());
    std::fprintf(stderr, "\n");
    return wrong_usage;
  }
  if (const std::string reason = choose_isa(choice.isa, subject); !reason.empty()) {
    std::printf("SKIP: %s\n", reason.c_str());
    return cannot_run_here;
  }
  const bool has_kernels = !subject.backend->instruction_sets().empty();
  std::printf("%s, %s, seed %llu\n", choice.backend.c_str(),
              attune::name(has_kernels ? subject.machine.isa : attune::Isa::generic),
              static_cast<unsigned long long>(choice.settings.seed));
  return run_all(choice, subject, *oracle);
}
