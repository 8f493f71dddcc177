// A backend whose answers a test sets, and that says how often it was asked.
#pragma once

#include <attune/backend.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace attune::test {

class FakePlan final : public Plan {
 public:
  FakePlan(const Problem& problem, Isa isa, Status status) : Plan(problem, isa), status_(status) {}

  std::size_t workspace_bytes(const Extents&, int) const noexcept override { return 0; }
  Status execute(const Arguments&, std::span<std::byte>, Executor&) const noexcept override { return status_; }
  std::string describe(const Extents&, int) const override { return "fake"; }

 private:
  Status status_;
};

class FakeBackend : public Backend {
 public:
  explicit FakeBackend(std::string name, double estimated = 1) : seconds(estimated), name_(std::move(name)) {}

  std::string_view name() const noexcept override { return name_; }
  std::string_view description() const noexcept override { return "made up"; }
  std::vector<Isa> instruction_sets() const override { return isas; }

  bool supports(const Problem&, const Extents&, std::string* reason) const override {
    return refused.empty() || refuse(reason, refused);
  }

  double estimate(const Problem&, const Extents&, const Machine& machine, int) const noexcept override {
    last_isa = machine.isa;
    return machine.isa == quick_isa ? quick_seconds : seconds;
  }

  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine& machine) const override {
    ++plans;
    return std::make_shared<FakePlan>(problem, machine.isa, status);
  }

  double seconds, quick_seconds = 0;
  std::optional<Isa> quick_isa;  // the one on which it takes quick_seconds
  std::vector<Isa> isas;
  std::string refused;  // the reason; empty: supports everything
  Status status = Status::ok;
  mutable std::atomic<int> plans{0};
  mutable std::atomic<Isa> last_isa{Isa::generic};

 private:
  std::string name_;
};

}  // namespace attune::test
