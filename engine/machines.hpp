// This machine once for each instruction set that kernels may be told to use.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <attune/machine.hpp>

namespace attune::detail {

/// The instruction set of that name, or nothing.
std::optional<Isa> parse_isa(std::string_view name) noexcept;

/// Immutable. Selection and planning look a Machine up instead of copying one for each call.
class Machines {
 public:
  explicit Machines(const Machine& machine);

  const Machine& best() const noexcept { return best_; }
  const Machine& with(Isa isa) const noexcept;

  /// What a caller may force. Throws Error(invalid_argument) for a name that does not exist, listing those
  /// that do, and Error(unsupported) for one that this machine lacks, listing those it has. Empty: nothing.
  std::optional<Isa> forced(std::string_view name) const;

 private:
  Machine best_;
  std::vector<Machine> variants_;  // one for each of best_.isas
};

}  // namespace attune::detail
