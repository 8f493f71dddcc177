#include "engine/engine_state.hpp"

#include <string>
#include <utility>

#include "engine/builtins.hpp"

namespace attune {

using namespace detail;

namespace {

std::shared_ptr<const Registry> initial_registry(bool builtins) {
  Registry registry;
  if (builtins) {
    for (auto& backend : make_builtins()) registry = with_backend(registry, std::move(backend), true);
  }
  return std::make_shared<const Registry>(std::move(registry));
}

std::string wisdom_path(const std::string& asked, const MachineDescription& machine) {
  return asked == "auto" ? WisdomFile::default_path(machine) : asked;
}

std::shared_ptr<const Plan> make_plan(const Problem& problem, const Pick& picked) {
  std::shared_ptr<const Plan> plan = picked.entry->backend->plan_as(picked.tiling, problem, *picked.machine);
  if (!plan) throw Error(ErrorCode::backend_failed, std::string(picked.entry->name()) + ": made no plan");
  return plan;
}

}  // namespace

Engine::State::State(const Config& configuration)
    : config(configuration),
      machines(Machine::detect()),
      registry(initial_registry(config.builtins)),
      config_isa(machines.forced(config.isa)),
      wisdom(wisdom_path(config.wisdom, MachineDescription::of(machines.best())),
             MachineDescription::of(machines.best())),
      log(config.log_choices ? std::make_unique<SelectionLog>() : nullptr) {}

void Engine::State::require_known(std::string_view backend) const {
  const auto current = backends();
  if (find(*current, backend) != nullptr) return;
  std::string message = "backend: \"" + std::string(backend) + "\" is unknown; there are " + names(*current);
  const std::lock_guard lock(plugins_mutex);
  for (const PluginFile& file : plugins.files()) {
    if (file.state != PluginState::loaded) message += "; " + file.path + " is " + name(file.state) + ": " + file.reason;
  }
  throw Error(ErrorCode::invalid_argument, message);
}

/// The backend is asked without a lock, for it may ask the engine in turn; again where another one was added meanwhile.
void Engine::State::add(std::shared_ptr<const Backend> backend) {
  for (;;) {
    const auto current = backends();
    auto next = std::make_shared<const Registry>(with_backend(*current, backend, false));
    const std::lock_guard lock(registry_mutex);
    if (registry != current) continue;
    registry = std::move(next);
    return;
  }
}

std::shared_ptr<const Registry> Engine::State::backends() const {
  const std::lock_guard lock(registry_mutex);
  return registry;
}

Request Engine::State::request(const Problem& problem, const Extents& extents, int threads,
                               const Selection& selection) const {
  const bool by_call = !selection.backend.empty();
  if (by_call || !config.backend.empty()) require_known(by_call ? selection.backend : std::string_view(config.backend));
  return {.problem = problem,
          .extents = extents,
          .threads = threads,
          .backend = by_call ? selection.backend : std::string_view(config.backend),
          .forced_by = by_call ? "forced by the call" : "forced by ATTUNE_BACKEND or the engine's configuration",
          .isa = selection.isa.empty() ? config_isa : machines.forced(selection.isa),
          .reproducible = selection.reproducible,
          .wisdom = selection.reproducible ? nullptr : wisdom.table()};
}

std::shared_ptr<const Plan> Engine::State::plan_of(const Request& request, const Pick& picked) {
  const PlanKey key{request.problem, picked.entry->backend.get(), picked.machine->isa, picked.tiling};
  auto plan = plans.find(key);
  if (!plan) plan = plans.insert(key, make_plan(request.problem, picked));
  if (log) log->chosen(request, picked);
  return plan;
}

}  // namespace attune
