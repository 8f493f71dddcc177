#include "backends/tiles/capability.hpp"

#include <attune/error.hpp>

#include "backends/kernels/instruction_sets.hpp"

namespace attune::tiles {
namespace {

/// Floating point operations per second of one core at a typical 3 GHz: what matters is their ratio.
double typical_peak(Isa isa) noexcept {
  switch (isa) {
    case Isa::avx512:
    case Isa::avx512_bf16:
      return 150e9;
    case Isa::avx2:
      return 96e9;
    case Isa::neon:
      return 48e9;
    case Isa::sse2:
    case Isa::generic:
      break;
  }
  return 24e9;
}

}  // namespace

bool supports(const Problem& problem, std::string* reason) {
  if (problem.uses(Feature::f64)) return refuse(reason, "computes in f32: does not take f64");
  return true;
}

std::vector<Isa> instruction_sets() {
  std::vector<Isa> result;
  for (const Isa isa : {Isa::sse2, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::neon})
    if (kernels::find(name(isa)) != nullptr) result.push_back(isa);
  return result;
}

const kernels::Kernels& kernels_for(const Machine& machine) {
  if (const auto* kernels = kernels::find(name(machine.isa))) return *kernels;
  throw Error(ErrorCode::unsupported, std::string("isa: there are no kernels for ") + name(machine.isa));
}

double estimate_seconds(const Problem& problem, const Extents& extents, const Machine& machine) noexcept {
  // A pair of query and key costs its products and a softmax worth about 7 head dims.
  const double pairs = attended_pairs(problem, extents);
  return pairs * 2.0 * static_cast<double>(problem.head_dim + problem.value_dim + 14) / typical_peak(machine.isa);
}

}  // namespace attune::tiles
