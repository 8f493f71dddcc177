// A shared library in this process, and what it answers.
#pragma once

#include <memory>
#include <string>

#include "engine/plugins/query.hpp"

namespace attune::detail {

/// Loads the library, for good, and asks it who it is. Null with a reason where that cannot be used.
std::shared_ptr<const Plugin> open_plugin(const std::string& path, std::string& reason);

}  // namespace attune::detail
