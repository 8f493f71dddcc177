// A plugin as a Backend like any other.
#pragma once

#include <memory>

#include <attune/backend.hpp>

#include "engine/plugins/query.hpp"

namespace attune::detail {

/// The library that the plugin points into must never go.
std::shared_ptr<const Backend> adapt(std::shared_ptr<const Plugin> plugin);

}  // namespace attune::detail
