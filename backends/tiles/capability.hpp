// What every backend on these tiles can do, and about how fast.
#pragma once

#include <string>
#include <vector>

#include <attune/backend.hpp>

#include "backends/kernels/kernels.hpp"

namespace attune::tiles {

/// As Backend::supports().
bool supports(const Problem& problem, std::string* reason);

/// The instruction sets that there are kernels for, whether or not this CPU can run them.
std::vector<Isa> instruction_sets();

/// Throws Error(unsupported) where there are none.
const kernels::Kernels& kernels_for(Isa isa);
inline const kernels::Kernels& kernels_for(const Machine& machine) { return kernels_for(machine.isa); }

/// Seconds on one thread, from the instruction set's width and typical shares of peak.
double estimate_seconds(const Problem& problem, const Extents& extents, const Machine& machine) noexcept;

/// Of all keys and values of a call.
double key_value_bytes(const Problem& problem, const Extents& extents) noexcept;

/// Seconds that memory takes to deliver keys and values once.
double estimate_reading_seconds(const Problem& problem, const Extents& extents, int threads) noexcept;

/// Seconds of a decode whose keys are split and whose head dims lie in lanes: the larger of its operations and of what
/// memory takes to deliver keys and values.
double estimate_decode_seconds(const Problem& problem, const Extents& extents, const Machine& machine,
                               int threads) noexcept;

}  // namespace attune::tiles
