// The yardstick of a machine: multiply-adds that touch nothing but registers.
#pragma once

#include <attune/executor.hpp>
#include <attune/export.hpp>
#include <attune/machine.hpp>

namespace attune {

/// Floating point operations per second (a multiply-add is two) of the instruction set's f32 multiply-adds on all
/// threads of the executor, measured over about 20 ms: what a share of peak is a share of. `generic`, and what the
/// library holds no kernels for, count as the weakest instruction set there is. The CPU must have the instructions.
ATTUNE_API double measure_peak(Isa isa, Executor& executor);

}  // namespace attune
