#include "backends/tiles/capability.hpp"

#include <algorithm>

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

const kernels::Kernels& kernels_for(Isa isa) {
  if (const auto* kernels = kernels::find(name(isa))) return *kernels;
  throw Error(ErrorCode::unsupported,
              std::string("isa: there are no kernels for ") + name(isa) + "; the backend naive needs none");
}

double estimate_seconds(const Problem& problem, const Extents& extents, const Machine& machine) noexcept {
  // A pair of query and key costs its products and a softmax worth about 7 head dims; a query's way into its tile and
  // out of it costs as much as 10 more keys; and idle lanes cost as much as busy ones: tiles are one or two vectors
  // wide.
  constexpr double keys_of_a_query = 10;
  const auto* kernels = kernels::find(name(machine.isa));
  const std::int64_t vector = kernels != nullptr ? kernels->lanes / 2 : 1;
  const std::int64_t rows = std::max<std::int64_t>(problem.group() * extents.queries, 1);
  const double idle = static_cast<double>((rows + vector - 1) / vector * vector) / static_cast<double>(rows);
  const double queries = static_cast<double>(problem.heads) * static_cast<double>(extents.total_queries);
  const double pairs = idle * (attended_pairs(problem, extents) + keys_of_a_query * queries);
  return pairs * 2.0 * static_cast<double>(problem.head_dim + problem.value_dim + 14) / typical_peak(machine.isa);
}

double key_value_bytes(const Problem& problem, const Extents& extents) noexcept {
  const double token_bytes = static_cast<double>(problem.head_dim) * static_cast<double>(size_of(problem.key_dtype)) +
                             static_cast<double>(problem.value_dim) * static_cast<double>(size_of(problem.value_dtype));
  return static_cast<double>(problem.kv_heads) * static_cast<double>(extents.total_keys) * token_bytes;
}

double estimate_reading_seconds(const Problem& problem, const Extents& extents, int threads) noexcept {
  return key_value_bytes(problem, extents) / (threads == 1 ? 20e9 : 30e9);  // most of it to the first thread
}

double estimate_decode_seconds(const Problem& problem, const Extents& extents, const Machine& machine,
                               int threads) noexcept {
  // Three quarters of the peak, and for each row sums across lanes and a state to join and to write; or what memory
  // gives.
  constexpr double row_seconds = 0.12e-6;
  const double rows = static_cast<double>(problem.heads) * static_cast<double>(extents.total_queries);
  const double operations = (flops(problem, extents) * 1.33 / typical_peak(machine.isa) + rows * row_seconds) / threads;
  return std::max(operations, estimate_reading_seconds(problem, extents, threads));
}

}  // namespace attune::tiles
