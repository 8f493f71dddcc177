// The yardstick: multiply-adds that touch nothing but registers.
#pragma once

#include <attune/executor.hpp>
#include <attune/machine.hpp>

namespace attune::bench {

/// Floating point operations per second of the instruction set's multiply-adds on all threads of the executor, over
/// about 20 ms. `generic` counts as the weakest instruction set there is.
double measure_peak(Isa isa, Executor& executor);

}  // namespace attune::bench
