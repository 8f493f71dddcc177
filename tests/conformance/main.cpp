// The ctest front of the suite: every case on one backend, in one instruction set.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <attune/engine.hpp>
#include <attune/plugins.hpp>

#include "tests/conformance/suite.hpp"
#include "tests/linear/suite.hpp"

namespace {

using namespace attune::conformance;

constexpr int passed = 0, failed = 1, wrong_usage = 2, cannot_run_here = 77;  // 77: what ctest shows as skipped

/// A backend that always cuts its work in one of its tilings.
class InTiling final : public attune::Backend {
 public:
  InTiling(std::shared_ptr<const attune::Backend> backend, std::string tiling)
      : backend_(std::move(backend)), tiling_(std::move(tiling)) {}

  std::string_view name() const noexcept override { return backend_->name(); }
  std::string_view description() const noexcept override { return backend_->description(); }
  std::vector<attune::Isa> instruction_sets() const override { return backend_->instruction_sets(); }
  bool parallel() const noexcept override { return backend_->parallel(); }
  attune::TraitSet traits() const noexcept override { return backend_->traits(); }
  bool supports(const attune::Problem& problem, const attune::Extents& extents, std::string* reason) const override {
    return backend_->supports(problem, extents, reason);
  }
  double estimate(const attune::Problem& problem, const attune::Extents& extents, const attune::Machine& machine,
                  int threads) const noexcept override {
    return backend_->estimate(problem, extents, machine, threads);
  }
  std::shared_ptr<const attune::Plan> plan(const attune::Problem& problem,
                                           const attune::Machine& machine) const override {
    return backend_->plan_as(tiling_, problem, machine);
  }

 private:
  std::shared_ptr<const attune::Backend> backend_;
  std::string tiling_;
};

struct Choice {
  std::string backend = "naive";
  std::string plugin;  // a file; then `backend` does not count
  std::string twin;
  std::string isa;
  std::string tiling;
  std::string linear;  // an implementation of linear attention; then the cases are those of tests/linear
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

/// Throws Error where there is none.
std::shared_ptr<const attune::Backend> find_or_refuse(const attune::Engine& engine, const std::string& name) {
  if (auto backend = find(engine, name)) return backend;
  std::string names;
  for (const auto& backend : engine.backends()) names += " " + std::string(backend->name());
  throw attune::Error(attune::ErrorCode::invalid_argument,
                      "there is no backend called " + name + "; there are:" + names);
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
  auto* const backend = app.add_option("--backend", choice.backend, "The backend to test")->capture_default_str();
  app.add_option("--plugin", choice.plugin, "Test the backend in this file instead, in this very process")
      ->excludes(backend);
  app.add_option("--same-bits-as", choice.twin, "Every run must give the bits that this backend gives");
  app.add_option("--isa", choice.isa, "Its instruction set, for example avx2; default: the best of this machine");
  app.add_option("--tiling", choice.tiling, "Cut work in this one of its tilings; default: as it does by itself");
  app.add_option("--linear", choice.linear, "Test linear attention by this implementation instead: naive, tiled")
      ->check(CLI::IsMember({"naive", "tiled"}))
      ->excludes(backend);
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
    print_counts();
    std::printf("The largest error was %.2f of its tolerance (%s).\n", worst_share_, worst_case_.c_str());
    if (!counts_.contains(Verdict::pass)) std::printf("No case passed: a backend that takes nothing does not pass.\n");
  }

  void print_counts() const {
    std::printf("\n");
    for (const auto& [verdict, count] : counts_) std::printf("%d %s  ", count, name(verdict));
    std::printf("\n");
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

int test(const Choice& choice) {
  const attune::Engine engine{attune::Engine::Config{}};
  const auto oracle = find(engine, "naive");
  Subject subject{nullptr, engine.machine(), {}};
  subject.backend = choice.plugin.empty() ? find_or_refuse(engine, choice.backend) : attune::open_plugin(choice.plugin);
  if (!choice.tiling.empty()) subject.backend = std::make_shared<InTiling>(subject.backend, choice.tiling);
  subject.traits = subject.backend->traits();
  if (!choice.twin.empty()) subject.twin = find_or_refuse(engine, choice.twin);
  if (const std::string reason = choose_isa(choice.isa, subject); !reason.empty()) {
    std::printf("SKIP: %s\n", reason.c_str());
    return cannot_run_here;
  }
  const bool has_kernels = !subject.backend->instruction_sets().empty();
  std::printf("%s, %s, seed %llu\n", std::string(subject.backend->name()).c_str(),
              attune::name(has_kernels ? subject.machine.isa : attune::Isa::generic),
              static_cast<unsigned long long>(choice.settings.seed));
  return run_all(choice, subject, *oracle);
}

int test_linear(const Choice& choice) {
  const std::vector<attune::Isa> isas = attune::Machine::detect().isas;
  const auto is_wanted = [&](attune::Isa isa) { return choice.isa == attune::name(isa); };
  if (!choice.isa.empty() && std::none_of(isas.begin(), isas.end(), is_wanted)) {
    std::printf("SKIP: this machine lacks %s\n", choice.isa.c_str());
    return cannot_run_here;
  }
  const auto function = attune::test::linear_backend(choice.linear, choice.isa);
  Summary summary;
  for (const auto& c : attune::test::linear_conformance_cases()) {
    if (c.name.find(choice.settings.filter) == std::string::npos) continue;
    const std::string fault = c.fault(function);
    const Report report{c.name, fault.empty() ? Verdict::pass : Verdict::fail, fault, 0};
    summary.add(report);
    if (is_caught(report.verdict) || !choice.failures_only) print(report);
  }
  summary.print_counts();
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
  try {
    return choice.linear.empty() ? test(choice) : test_linear(choice);
  } catch (const attune::Error& error) {
    std::fprintf(stderr, "attune_conformance: %s\n", error.what());
    return wrong_usage;
  }
}
