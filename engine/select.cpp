#include "engine/select.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/complaint.hpp"

namespace attune::detail {
namespace {

/// The strongest first: what reproducible takes, whatever an estimate would say.
constexpr std::array<std::string_view, 3> fixed_order{"tiled", "simd", "naive"};
constexpr const char* fixed_order_rule = "reproducible: the first of tiled, simd, naive that takes the problem";
constexpr const char* measured_rule = "measured to be the fastest (attune tune)";
constexpr const char* estimate_rule = "smallest estimate";
constexpr const char* plugin_rule = "no built-in takes the problem; smallest estimate of the others";

struct Found {
  const RegisteredBackend* entry = nullptr;
  const char* rule = "";
};

bool contains(const std::vector<Isa>& isas, Isa isa) noexcept {
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

bool eligible(const RegisteredBackend& entry, const Machines& machines, const Request& request, std::string* reason) {
  if (!isa_for(entry, machines.best(), request.isa)) {
    return attune::refuse(reason, request.isa ? "it has no kernels for the forced instruction set"
                                              : "it has no kernels for this machine's instruction sets");
  }
  return entry.backend->supports(request.problem, request.extents, reason);
}

double estimate(const RegisteredBackend& entry, const Machines& machines, const Request& request) noexcept {
  const Machine& machine = machine_for(entry, machines, request.isa);
  return entry.backend->estimate(request.problem, request.extents, machine, request.threads);
}

const RegisteredBackend* smallest_estimate(const Registry& registry, const Machines& machines, const Request& request,
                                           bool builtin) {
  const RegisteredBackend* best = nullptr;
  double best_seconds = std::numeric_limits<double>::infinity();
  for (const RegisteredBackend& entry : registry) {
    if (entry.builtin != builtin || !eligible(entry, machines, request, nullptr)) continue;
    const double seconds = estimate(entry, machines, request);
    if (best != nullptr && !(seconds < best_seconds)) continue;
    best = &entry;
    best_seconds = seconds;
  }
  return best;
}

Found pick_forced(const Registry& registry, const Machines& machines, const Request& request) {
  const RegisteredBackend* entry = find(registry, request.backend);
  if (entry == nullptr) {
    refuse_argument("backend", "\"" + std::string(request.backend) + "\" is unknown; there are " + names(registry));
  }
  return {eligible(*entry, machines, request, nullptr) ? entry : nullptr, request.forced_by};
}

Found pick_reproducible(const Registry& registry, const Machines& machines, const Request& request) {
  for (const std::string_view name : fixed_order) {
    const RegisteredBackend* entry = find(registry, name);
    if (entry != nullptr && entry->builtin && eligible(*entry, machines, request, nullptr)) {
      return {entry, fixed_order_rule};
    }
  }
  return {nullptr, fixed_order_rule};
}

Candidate candidate(const RegisteredBackend& entry, const Machines& machines, const Request& request) {
  Candidate result;
  result.backend = entry.name();
  result.eligible = eligible(entry, machines, request, &result.reason);
  if (result.eligible) {
    result.reason.clear();
    result.estimated_seconds = estimate(entry, machines, request);
  } else if (result.reason.empty()) {
    result.reason = "it does not say why";
  }
  return result;
}

/// Null where no backend, or not the forced one, takes the problem.
Found find_pick(const Registry& registry, const Machines& machines, const Request& request) {
  if (!request.backend.empty()) return pick_forced(registry, machines, request);
  if (request.reproducible) return pick_reproducible(registry, machines, request);
  if (const auto* builtin = smallest_estimate(registry, machines, request, true)) return {builtin, estimate_rule};
  return {smallest_estimate(registry, machines, request, false), plugin_rule};
}

[[noreturn]] void refuse_request(const Registry& registry, const Machines& machines, const Request& request) {
  const bool forced = !request.backend.empty();
  std::string message = forced ? "" : "no backend takes this problem";
  for (const RegisteredBackend& entry : registry) {
    if (forced && entry.name() != request.backend) continue;
    const Candidate refused = candidate(entry, machines, request);
    if (!message.empty()) message += "; ";
    message +=
        refused.backend + ": " + (refused.eligible ? "not a built-in, which reproducible asks for" : refused.reason);
  }
  if (forced) message += " (" + std::string(request.forced_by) + ")";
  throw Error(ErrorCode::unsupported, message);
}

}  // namespace

std::optional<Isa> isa_for(const RegisteredBackend& entry, const Machine& machine, std::optional<Isa> forced) noexcept {
  if (entry.isas.empty()) return Isa::generic;
  if (forced) return contains(entry.isas, *forced) ? forced : std::nullopt;
  if (contains(entry.isas, machine.isa)) return machine.isa;
  const auto strongest =
      std::find_if(machine.isas.rbegin(), machine.isas.rend(), [&](Isa isa) { return contains(entry.isas, isa); });
  return strongest != machine.isas.rend() ? std::optional(*strongest) : std::nullopt;
}

const Machine& machine_for(const RegisteredBackend& entry, const Machines& machines,
                           std::optional<Isa> forced) noexcept {
  // One without kernels of its own may still look at the instruction set that was asked for.
  if (entry.isas.empty()) return machines.with(forced.value_or(machines.best().isa));
  return machines.with(isa_for(entry, machines.best(), forced).value_or(machines.best().isa));
}

namespace {

const WisdomEntry* remembered(const Request& request) {
  if (request.wisdom == nullptr) return nullptr;
  return request.wisdom->find(
      {request.problem, buckets_of(request.problem, request.extents), request.threads, request.backend, request.isa});
}

/// The backend's own text for the name, which outlives the wisdom that holds it; nothing where it has none of that
/// name.
std::optional<std::string_view> own_tiling(const Backend& backend, std::string_view name) noexcept {
  if (name.empty()) return name;
  const auto tilings = backend.tilings();
  const auto found = std::find(tilings.begin(), tilings.end(), name);
  return found != tilings.end() ? std::optional(*found) : std::nullopt;
}

/// What a file says is checked like what a caller says: it may be old, or anybody's.
std::optional<Pick> pick_remembered(const Registry& registry, const Machines& machines, const Request& request) {
  const WisdomEntry* known = remembered(request);
  if (known == nullptr) return std::nullopt;
  const Variant& winner = known->winner;
  const RegisteredBackend* entry = find(registry, winner.backend);
  if (entry == nullptr || entry->backend->version() != known->winner_version) return std::nullopt;
  if (!request.backend.empty() && winner.backend != request.backend) return std::nullopt;
  const std::optional<Isa> isa = entry->isas.empty() ? request.isa : winner.isa;
  if (request.isa && isa != request.isa) return std::nullopt;
  if (isa && !contains(machines.best().isas, *isa)) return std::nullopt;
  if (!isa_for(*entry, machines.best(), isa) || !entry->backend->supports(request.problem, request.extents, nullptr)) {
    return std::nullopt;
  }
  const std::optional<std::string_view> tiling = own_tiling(*entry->backend, winner.tiling);
  if (!tiling) return std::nullopt;
  return Pick{entry, request.backend.empty() ? measured_rule : request.forced_by, &machine_for(*entry, machines, isa),
              std::min(winner.threads, request.threads), *tiling};
}

/// The fastest of a backend's variants that were measured.
std::optional<Measurement> fastest_of(const std::vector<Measurement>& measurements, std::string_view backend) {
  const Measurement* best = nullptr;
  for (const Measurement& m : measurements) {
    if (m.variant.backend == backend && m.samples > 0 && (best == nullptr || m.seconds < best->seconds)) best = &m;
  }
  return best != nullptr ? std::optional(*best) : std::nullopt;
}

/// With the strongest instruction set, unless a weaker one is estimated to be faster by a tenth: in short calls its
/// smaller tiles are full where larger ones would be half idle.
const Machine& fitting_machine(const RegisteredBackend& entry, const Machines& machines, const Request& request) {
  const auto seconds_on = [&](const Machine& machine) {
    return entry.backend->estimate(request.problem, request.extents, machine, request.threads);
  };
  const Machine* best = &machine_for(entry, machines, std::nullopt);
  double limit = 0.9 * seconds_on(*best);
  for (const Isa isa : entry.isas) {
    if (!contains(machines.best().isas, isa) || isa == best->isa) continue;
    const double seconds = seconds_on(machines.with(isa));
    if (!(seconds < limit)) continue;
    best = &machines.with(isa);
    limit = seconds;
  }
  return *best;
}

}  // namespace

Pick pick(const Registry& registry, const Machines& machines, const Request& request) {
  if (const auto known = pick_remembered(registry, machines, request)) return *known;
  const Found found = find_pick(registry, machines, request);
  if (found.entry == nullptr) refuse_request(registry, machines, request);
  const bool by_estimate = found.rule == estimate_rule && !request.isa;
  const Machine& machine =
      by_estimate ? fitting_machine(*found.entry, machines, request) : machine_for(*found.entry, machines, request.isa);
  const std::string_view tiling =
      request.reproducible ? found.entry->backend->reproducible_tiling() : std::string_view{};
  return {found.entry, found.rule, &machine, request.threads, tiling};
}

Choice choice_of(const Registry& registry, const Machines& machines, const Request& request, const Pick& picked) {
  Choice choice;
  choice.backend = picked.entry->name();
  choice.rule = picked.rule;
  choice.isa = picked.isa();
  choice.threads = picked.threads;
  choice.tiling = picked.tiling;
  if (const WisdomEntry* known = remembered(request)) choice.measurements = known->measurements;
  for (const RegisteredBackend& entry : registry) {
    choice.candidates.push_back(candidate(entry, machines, request));
    choice.candidates.back().measured = fastest_of(choice.measurements, entry.name());
  }
  return choice;
}

}  // namespace attune::detail
