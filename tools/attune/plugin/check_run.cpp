#include "tools/attune/plugin/check_run.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <attune/engine.hpp>

#include "tools/attune/io/tensor.hpp"
#include "tools/attune/plugin/check_load.hpp"

namespace attune::tool {
namespace {

using namespace conformance;

/// A plugin that hangs would otherwise cost its time limit in every case.
constexpr int enough_timeouts = 3;

/// Every case on every variant, and what has come of it.
class Queue {
 public:
  Queue(const CheckRequest& request, const PluginFacts& facts, const std::vector<Case>& cases,
        const std::vector<CheckVariant>& variants) {
    for (const CheckVariant& variant : variants) {
      if (!variant.hindrance.empty()) continue;
      Machine machine = Machine::detect();
      if (variant.isa != Isa::generic) machine.isa = variant.isa;
      for (const Case& c : cases) {
        work_.push_back({&c, [&request, traits = facts.traits, machine] {
                           return Subject{load_here(request.file), machine, traits};
                         }});
        results_.push_back({variant.isa, {{c.name, Verdict::skip, "not run", 0}, {}, 0}});
      }
    }
    known_.resize(work_.size());
  }

  const std::vector<IsolatedCase>& work() const { return work_; }

  void set(std::size_t index, const IsolatedReport& report) {
    results_[index].report = report;
    known_[index] = true;
  }

  /// Tells what can be told in order.
  void tell(const std::function<void(const CheckResult&)>& on_result) {
    for (; told_ < work_.size() && known_[told_]; ++told_) on_result(results_[told_]);
  }

  void give_up(const std::string& reason) {
    for (std::size_t i = 0; i < work_.size(); ++i) {
      if (known_[i]) continue;
      results_[i].report.message = reason;
      known_[i] = true;
    }
  }

 private:
  std::vector<IsolatedCase> work_;
  std::vector<CheckResult> results_;
  std::vector<bool> known_;
  std::size_t told_ = 0;
};

std::shared_ptr<const Backend> find_oracle() {
  Engine::Config config;  // not from the environment: what it forces does not matter here
  for (const auto& backend : Engine(config).backends())
    if (backend->name() == "naive") return backend;
  throw Error(ErrorCode::backend_failed, "this library lacks the backend naive, which the suite compares with");
}

bool contains(const std::vector<Isa>& isas, Isa isa) { return std::find(isas.begin(), isas.end(), isa) != isas.end(); }

std::string names(const std::vector<CheckVariant>& variants) {
  std::string text;
  for (const CheckVariant& variant : variants) text += (text.empty() ? "" : ", ") + std::string(name(variant.isa));
  return text;
}

}  // namespace

std::vector<CheckVariant> variants_to_check(const CheckRequest& request, const PluginFacts& facts,
                                            const Machine& machine) {
  std::vector<CheckVariant> variants;
  if (facts.isas.empty()) variants.push_back({Isa::generic, ""});
  for (const Isa isa : facts.isas)
    variants.push_back({isa, contains(machine.isas, isa) ? "" : "this CPU lacks the instructions"});
  if (request.isa.empty()) return variants;
  for (const CheckVariant& variant : variants)
    if (request.isa == name(variant.isa)) return {variant};
  throw Error(ErrorCode::invalid_argument, fmt::format("--isa: the plugin has no variant {}; it has {}",
                                                       io::in_quotes(request.isa), names(variants)));
}

void run_cases(const CheckRequest& request, const PluginFacts& facts, const std::vector<Case>& cases,
               const std::vector<CheckVariant>& variants, const std::function<void(const CheckResult&)>& on_result,
               const std::function<bool(std::size_t ended, std::size_t total)>& on_end) {
  const auto oracle = find_oracle();
  Queue queue(request, facts, cases, variants);
  std::size_t ended = 0;
  int timeouts = 0;
  run_cases_isolated(queue.work(), *oracle, request.settings, request.limits,
                     [&](std::size_t index, const IsolatedReport& report) {
                       queue.set(index, report);
                       queue.tell(on_result);
                       if (report.verdict == Verdict::timeout) ++timeouts;
                       return on_end(++ended, queue.work().size()) && timeouts < enough_timeouts;
                     });
  queue.give_up(timeouts < enough_timeouts ? "not run: interrupted"
                                           : fmt::format("not run: {} cases had run out of time", timeouts));
  queue.tell(on_result);
}

}  // namespace attune::tool
