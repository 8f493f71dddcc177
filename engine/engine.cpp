// The engine: from a call to a kernel, link by link. Start with Engine::attention.
#include <attune/engine.hpp>

#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "engine/builtins.hpp"
#include "engine/machines.hpp"
#include "engine/plan_cache.hpp"
#include "engine/plugins/loader.hpp"
#include "engine/registry.hpp"
#include "engine/select.hpp"
#include "engine/workspace_pool.hpp"

namespace attune {

using namespace detail;

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::shared_ptr<const Registry> initial_registry(bool builtins) {
  Registry registry;
  if (builtins) {
    for (auto& backend : make_builtins()) registry = with_backend(registry, std::move(backend), true);
  }
  return std::make_shared<const Registry>(std::move(registry));
}

const char* word(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::failed:
      return "it could not finish";
    case Status::invalid_workspace:
      return "its workspace was too small or not aligned";
  }
  return "unknown status";
}

}  // namespace

struct Engine::State {
  explicit State(const Config& configuration)
      : config(configuration),
        machines(Machine::detect()),
        registry(initial_registry(config.builtins)),
        config_isa(machines.forced(config.isa)) {}

  std::shared_ptr<const Registry> backends() const {
    const std::lock_guard lock(registry_mutex);
    return registry;
  }

  /// What the call forces counts more than what the configuration does.
  Request request(const Problem& problem, const Extents& extents, int threads, const Selection& selection) const {
    const bool by_call = !selection.backend.empty();
    return {.problem = problem,
            .extents = extents,
            .threads = threads,
            .backend = by_call ? selection.backend : std::string_view(config.backend),
            .forced_by = by_call ? "forced by the call" : "forced by ATTUNE_BACKEND or the engine's configuration",
            .isa = selection.isa.empty() ? config_isa : machines.forced(selection.isa),
            .reproducible = selection.reproducible};
  }

  std::shared_ptr<const Plan> plan_for(const Request& request) {
    const std::shared_ptr<const Registry> current = backends();
    require_known(*current, request.backend);
    const Pick picked = pick(*current, machines, request);
    if (picked.entry == nullptr) refuse_request(*current, machines, request);
    const Machine& machine = machine_for(*picked.entry, machines, request.isa);
    const PlanKey key{request.problem, picked.entry->backend.get(), machine.isa};
    if (auto plan = plans.find(key)) return plan;
    return plans.insert(key, make_plan(*picked.entry, request.problem, machine));
  }

  /// An unknown name may be that of a plugin that was not loaded: the message says why those were not.
  void require_known(const Registry& current, std::string_view backend) const {
    if (backend.empty() || find(current, backend) != nullptr) return;
    std::string message = "backend: \"" + std::string(backend) + "\" is unknown; there are " + names(current);
    const std::lock_guard lock(plugins_mutex);
    for (const PluginFile& file : plugins.files()) {
      if (file.state != PluginState::loaded)
        message += "; " + file.path + " is " + name(file.state) + ": " + file.reason;
    }
    throw Error(ErrorCode::invalid_argument, message);
  }

  void add(std::shared_ptr<const Backend> backend) {
    const std::lock_guard lock(registry_mutex);
    registry = std::make_shared<const Registry>(with_backend(*registry, std::move(backend), false));
  }

  static std::shared_ptr<const Plan> make_plan(const RegisteredBackend& entry, const Problem& problem,
                                               const Machine& machine) {
    std::shared_ptr<const Plan> plan = entry.backend->plan(problem, machine);
    if (!plan) throw Error(ErrorCode::backend_failed, std::string(entry.name()) + ": made no plan");
    return plan;
  }

  const Config config;
  const Machines machines;
  mutable std::mutex registry_mutex;
  std::shared_ptr<const Registry> registry;  // replaced, never changed
  const std::optional<Isa> config_isa;
  mutable std::mutex plugins_mutex;
  Loader plugins;
  PlanCache plans;
  WorkspacePool workspaces;
  std::once_flag executor_made;
  std::shared_ptr<Executor> executor;
};

Engine::Config Engine::Config::from_environment() {
  Config config;
  config.backend = environment("ATTUNE_BACKEND");
  config.isa = environment("ATTUNE_ISA");
  return config;
}

Engine::Engine(const Config& config) : state_(std::make_unique<State>(config)) {}
Engine::~Engine() = default;

const Machine& Engine::machine() const noexcept {
  return state_->config_isa ? state_->machines.with(*state_->config_isa) : state_->machines.best();
}

Executor& Engine::executor() {
  std::call_once(state_->executor_made,
                 [this] { state_->executor = state_->config.executor ? state_->config.executor : make_executor(); });
  return *state_->executor;
}

void Engine::add(std::shared_ptr<const Backend> backend) { state_->add(std::move(backend)); }

PluginReport Engine::load_plugins(const PluginSearch& search) {
  const auto add = [this](std::shared_ptr<const Backend> backend) -> std::string {
    try {
      state_->add(std::move(backend));
      return {};
    } catch (const Error& error) {
      return error.what();
    }
  };
  const std::lock_guard lock(state_->plugins_mutex);
  return state_->plugins.load(search, state_->machines.best(), add);
}

std::vector<PluginFile> Engine::plugins() const {
  const std::lock_guard lock(state_->plugins_mutex);
  return state_->plugins.files();
}

std::vector<std::shared_ptr<const Backend>> Engine::backends() const {
  std::vector<std::shared_ptr<const Backend>> result;
  for (const RegisteredBackend& entry : *state_->backends()) result.push_back(entry.backend);
  return result;
}

Choice Engine::select(const Problem& problem, const Extents& extents, int threads, const Selection& selection) const {
  const std::shared_ptr<const Registry> current = state_->backends();
  const Request request = state_->request(problem, extents, threads, selection);
  state_->require_known(*current, request.backend);
  return explain(*current, state_->machines, request);
}

std::shared_ptr<const Plan> Engine::plan(const Problem& problem, const Extents& extents, int threads,
                                         const Selection& selection) {
  try {
    return state_->plan_for(state_->request(problem, extents, threads, selection));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory, "no memory for a plan");
  }
}

void Engine::attention(const Tensors& tensors, const AttentionOptions& options, Executor* executor) try {
  const Description call = describe(tensors, options);
  Executor& workers = executor != nullptr ? *executor : this->executor();
  const int threads = workers.num_threads();
  const auto plan =
      this->plan(call.problem, call.extents, threads, {options.backend, options.isa, options.reproducible});
  const Call bound = plan->bind(tensors, options);
  const WorkspacePool::Lease workspace = state_->workspaces.lease(bound.workspace_bytes(threads));
  const Status status = bound.run(workspace.bytes(), workers);
  if (status != Status::ok) throw Error(ErrorCode::backend_failed, std::string("the backend failed: ") + word(status));
} catch (const std::bad_alloc&) {
  throw Error(ErrorCode::out_of_memory, "no memory for the workspace of this call");
}

Engine& default_engine() {
  static Engine* engine = new Engine;
  return *engine;
}

void attention(const TensorView& query, const TensorView& key, const TensorView& value, const MutableTensorView& out,
               const AttentionOptions& options) {
  default_engine().attention({query, key, value, out}, options);
}

}  // namespace attune
