// The instruction sets that this library holds kernels for, and which of them this CPU can run.
#pragma once

#include <span>
#include <string_view>

#include "backends/kernels/kernels.hpp"

namespace attune::kernels {

struct InstructionSet {
  const Kernels* kernels;
  bool (*runnable)();  // by this CPU and this operating system
};

/// Weakest first, in the order of instruction_sets.cmake.
std::span<const InstructionSet> instruction_sets() noexcept;

/// The kernels of that name, null if there are none. Says nothing about whether this CPU can run them.
const Kernels* find(std::string_view name) noexcept;

}  // namespace attune::kernels
