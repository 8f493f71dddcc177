#include <attune/peak.hpp>

#include <string>

#include <attune/error.hpp>

#include "backends/kernels/instruction_sets.hpp"
#include "engine/rate_together.hpp"

namespace attune {
namespace {

const kernels::Kernels& kernels_of(Isa isa) noexcept {
  const kernels::Kernels* found = kernels::find(name(isa));
  return found != nullptr ? *found : *kernels::instruction_sets().front().kernels;
}

}  // namespace

bool multiplies(Isa isa, Product product) noexcept {
  return product == Product::f32 || kernels_of(isa).pairs != nullptr;
}

double measure_peak(Isa isa, Executor& executor, Product product, double seconds) {
  if (!multiplies(isa, product))
    throw Error(ErrorCode::unsupported, std::string("the kernels for ") + name(isa) + " do not multiply bf16 pairs");
  const kernels::Kernels& kernels = kernels_of(isa);
  const auto loop = product == Product::f32 ? kernels.multiply_add_peak : kernels.pairs->dot_peak;
  return rate_together(executor, seconds, [&](std::int64_t) { return loop(20000); });
}

}  // namespace attune
