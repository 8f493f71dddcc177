// What an engine holds. Its members are spread over several files: calls in engine.cpp, reasons in
// explain.cpp, measuring in tuning/tune.cpp, what is remembered in remember.cpp.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include <attune/engine.hpp>

#include "engine/machines.hpp"
#include "engine/plan_cache.hpp"
#include "engine/plugins/loader.hpp"
#include "engine/registry.hpp"
#include "engine/select.hpp"
#include "engine/selection_log.hpp"
#include "engine/wisdom/wisdom.hpp"
#include "engine/workspace_pool.hpp"

namespace attune {

struct Engine::State {
  explicit State(const Config& configuration);

  std::shared_ptr<const detail::Registry> backends() const;

  void add(std::shared_ptr<const Backend> backend);

  /// What the call forces counts more than what the configuration does. Throws Error(invalid_argument) for a forced
  /// backend that does not exist.
  detail::Request request(const Problem& problem, const Extents& extents, int threads,
                          const Selection& selection) const;

  /// The plan of what was picked for the request.
  std::shared_ptr<const Plan> plan_of(const detail::Request& request, const detail::Pick& picked);

  /// An unknown name may be that of a plugin that was not loaded: the message says why those were not.
  void require_known(std::string_view backend) const;

  const Config config;
  const detail::Machines machines;
  mutable std::mutex registry_mutex;
  std::shared_ptr<const detail::Registry> registry;  // replaced, never changed
  const std::optional<Isa> config_isa;
  mutable std::mutex plugins_mutex;
  detail::Loader plugins;
  detail::Wisdom wisdom;
  const std::unique_ptr<detail::SelectionLog> log;  // null: nobody wants to know
  detail::PlanCache plans;
  detail::WorkspacePool workspaces;
  std::once_flag executor_made;
  std::shared_ptr<Executor> executor;
};

}  // namespace attune
