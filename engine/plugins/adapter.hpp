// A plugin as a Backend like any other.
#pragma once

#include <memory>
#include <string>

#include <attune/backend.hpp>

#include "engine/plugins/query.hpp"

namespace attune::detail {

/// The library that the plugin points into must never go. `version` is the Backend's: it tells builds of the file
/// apart.
std::shared_ptr<const Backend> adapt(std::shared_ptr<const Plugin> plugin, std::string version = {});

}  // namespace attune::detail
