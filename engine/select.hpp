// Which backend computes a problem, and why: functions of their arguments alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <attune/engine.hpp>

#include "engine/machines.hpp"
#include "engine/registry.hpp"
#include "engine/wisdom/table.hpp"

namespace attune::detail {

/// What is to be computed, and what was forced.
struct Request {
  const Problem& problem;
  const Extents& extents;
  int threads = 1;
  std::string_view backend{};  // forced by name; empty: not forced
  const char* forced_by = "";  // the rule to name for it
  std::optional<Isa> isa{};    // forced
  bool reproducible = false;
  std::shared_ptr<const WisdomTable> wisdom{};  // null: nothing was measured
};

/// The answer of the hot path: no strings to build.
struct Pick {
  const RegisteredBackend* entry = nullptr;
  const char* rule = "";             // in words for people
  const Machine* machine = nullptr;  // as estimate and plan are to see it
  int threads = 1;                   // that are to work on it
  std::string_view tiling{};         // the backend's; empty: its own choice

  /// That its kernels use; generic where it has none of its own.
  Isa isa() const noexcept { return entry->isas.empty() ? Isa::generic : machine->isa; }
};

/// Allocates nothing while it succeeds. Throws Error(invalid_argument) for a forced backend that does not exist, and
/// Error(unsupported) with every reason where no backend, or not the forced one, takes the problem.
///
/// The rules in order: a forced backend, or nothing. Reproducible: the first built-in of a fixed order that
/// takes the problem. Otherwise what was measured to be the fastest; then the smallest estimate of the built-ins, and
/// of the one with it the strongest instruction set, unless a weaker one is estimated to be faster by a tenth; where
/// none takes the problem, of the others (nobody has yet compared an untuned plugin's estimate with the truth).
Pick pick(const Registry& registry, const Machines& machines, const Request& request);

/// The pick with everything that people want to know of it.
Choice choice_of(const Registry& registry, const Machines& machines, const Request& request, const Pick& picked);

/// The instruction set that a backend's plan would use: the forced one, else the strongest that the machine
/// has and the backend holds kernels for; nothing where that does not exist. A backend without kernels of
/// its own is generic, whatever is forced.
std::optional<Isa> isa_for(const RegisteredBackend& entry, const Machine& machine, std::optional<Isa> forced) noexcept;

/// The machine as the backend's estimate and plan are to see it.
const Machine& machine_for(const RegisteredBackend& entry, const Machines& machines,
                           std::optional<Isa> forced) noexcept;

}  // namespace attune::detail
