// A backend made to be broken: streaming softmax over key blocks, items of a few query rows, scratch per worker; f32,
// every option. Healthy (Bug::none) it passes the conformance suite; each bug makes it do one thing wrong.
#pragma once

#include <attune/backend.hpp>

#include "tests/mutants/bugs.hpp"

namespace attune::mutants {

class Specimen final : public Backend {
 public:
  explicit Specimen(Bug bug) : bug_(bug) {}

  std::string_view name() const noexcept override { return "specimen"; }
  std::string_view description() const noexcept override { return "a small streaming backend, to be broken"; }
  bool supports(const Problem& problem, const Extents& extents, std::string* reason) const override;
  double estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                  int threads) const noexcept override;
  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine& machine) const override;

 private:
  Bug bug_;
};

}  // namespace attune::mutants
