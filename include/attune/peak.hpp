// The yardstick of a machine: multiply-adds that touch nothing but registers.
#pragma once

#include <cstdint>

#include <attune/executor.hpp>
#include <attune/export.hpp>
#include <attune/machine.hpp>

namespace attune {

/// The arithmetic that kernels do their products with.
enum class Product : std::uint8_t {
  f32,         // multiply-adds of f32
  bf16_pairs,  // products of bf16 pairs that are summed in f32 (vdpbf16ps)
};

/// Have the library's kernels for the instruction set this arithmetic? All of them have f32.
ATTUNE_API bool multiplies(Isa isa, Product product) noexcept;

/// Floating point operations per second (a multiply-add is two) of the instruction set's products on all threads of the
/// executor, measured over about `seconds`: what a share of peak is a share of. `generic`, and what the library holds
/// no kernels for, count as the weakest instruction set there is. The CPU must have the instructions.
/// Throws Error(unsupported) where the kernels do not multiply so.
ATTUNE_API double measure_peak(Isa isa, Executor& executor, Product product = Product::f32, double seconds = 0.02);

}  // namespace attune
