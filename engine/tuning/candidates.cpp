#include "engine/tuning/candidates.hpp"

#include <algorithm>

namespace attune::detail {
namespace {

/// Forced by name or not, a plugin too: tuning is what makes one eligible.
bool may_compute(const RegisteredBackend& entry, const Machines& machines, const Request& request) {
  if (!request.backend.empty() && entry.name() != request.backend) return false;
  return isa_for(entry, machines.best(), request.isa) &&
         entry.backend->supports(request.problem, request.extents, nullptr);
}

std::vector<const Machine*> machines_for(const RegisteredBackend& entry, const Machines& machines,
                                         const Request& request) {
  if (request.isa || entry.isas.empty()) return {&machine_for(entry, machines, request.isa)};
  std::vector<const Machine*> result;
  for (const Isa isa : machines.best().isas) {
    if (std::find(entry.isas.begin(), entry.isas.end(), isa) != entry.isas.end()) result.push_back(&machines.with(isa));
  }
  std::reverse(result.begin(), result.end());  // the strongest first
  return result;
}

std::vector<int> thread_counts(const RegisteredBackend& entry, int threads) {
  if (!entry.backend->parallel()) return {1};
  std::vector<int> result;
  for (int count = 1; count < threads; count *= 2) result.push_back(count);
  result.push_back(threads);
  return result;
}

}  // namespace

Variant TuneCandidate::variant() const {
  return {std::string(entry->name()), entry->isas.empty() ? Isa::generic : machine->isa, threads, std::string(tiling)};
}

double TuneCandidate::estimate(const Request& request) const noexcept {
  return entry->backend->estimate(request.problem, request.extents, *machine, threads);
}

std::string to_text(const Variant& variant) {
  return variant.backend + ", " + name(variant.isa) + ", " + std::to_string(variant.threads) +
         (variant.threads == 1 ? " thread" : " threads") + (variant.tiling.empty() ? "" : ", " + variant.tiling);
}

std::vector<TuneCandidate> candidates_of(const Registry& registry, const Machines& machines, const Request& request) {
  const Pick untuned = pick(registry, machines, request);
  const int threads = untuned.entry->backend->parallel() ? request.threads : 1;
  std::vector<TuneCandidate> result{{untuned.entry, untuned.machine, threads, untuned.tiling}};
  for (const RegisteredBackend& entry : registry) {
    if (request.reproducible || !may_compute(entry, machines, request)) continue;
    for (const Machine* machine : machines_for(entry, machines, request)) {
      for (const int count : thread_counts(entry, request.threads)) {
        const TuneCandidate candidate{&entry, machine, count, {}};
        if (candidate.variant() != result.front().variant()) result.push_back(candidate);
      }
    }
  }
  // Where time is short, it is to go to those that may win.
  std::stable_sort(result.begin() + 1, result.end(), [&request](const TuneCandidate& a, const TuneCandidate& b) {
    return a.estimate(request) < b.estimate(request);
  });
  return result;
}

}  // namespace attune::detail
