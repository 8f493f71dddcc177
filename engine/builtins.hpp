// The backends that come with the library.
#pragma once

#include <memory>
#include <vector>

#include <attune/backend.hpp>

namespace attune::detail {

std::vector<std::shared_ptr<const Backend>> make_builtins();

}  // namespace attune::detail
