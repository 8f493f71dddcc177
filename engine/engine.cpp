// The engine: from a call to a kernel, link by link. Start with Engine::attention.
#include <attune/engine.hpp>

#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include "engine/complaint.hpp"
#include "engine/engine_state.hpp"
#include "engine/fewer_threads.hpp"

namespace attune {

using namespace detail;

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool asked_to_log_choices(const std::string& words) {
  if (words.empty()) return false;
  if (words != "select") refuse_argument("ATTUNE_LOG", "is \"" + words + "\", must be \"select\" or empty");
  return true;
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

Engine::Config Engine::Config::from_environment() {
  Config config;
  config.backend = environment("ATTUNE_BACKEND");
  config.isa = environment("ATTUNE_ISA");
  const char* const wisdom = secure_getenv("ATTUNE_WISDOM");
  config.wisdom = wisdom != nullptr ? wisdom : "auto";
  config.log_choices = asked_to_log_choices(environment("ATTUNE_LOG"));
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
  const auto registry = state_->backends();  // held: another thread's add() replaces it meanwhile
  std::vector<std::shared_ptr<const Backend>> result;
  for (const RegisteredBackend& entry : *registry) result.push_back(entry.backend);
  return result;
}

std::shared_ptr<const Plan> Engine::plan(const Problem& problem, const Extents& extents, int threads,
                                         const Selection& selection) {
  try {
    const Request request = state_->request(problem, extents, threads, selection);
    return state_->plan_of(request, pick(*state_->backends(), state_->machines, request));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory, "no memory for a plan");
  }
}

void Engine::attention(const Tensors& tensors, const AttentionOptions& options, Executor* executor) try {
  const Description call = describe(tensors, options);
  Executor& all = executor != nullptr ? *executor : this->executor();
  const Request request = state_->request(call.problem, call.extents, all.num_threads(),
                                          {options.backend, options.isa, options.reproducible});
  const auto registry = state_->backends();
  const Pick picked = pick(*registry, state_->machines, request);
  const auto plan = state_->plan_of(request, picked);
  const Call bound = plan->bind(tensors, options);
  FewerThreads some(all, picked.threads);
  Executor& workers = picked.threads < all.num_threads() ? some : all;
  const WorkspacePool::Lease workspace = state_->workspaces.lease(bound.workspace_bytes(workers.num_threads()));
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
