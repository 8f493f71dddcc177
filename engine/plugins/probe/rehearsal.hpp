// A plugin's first call, small enough for every start of a program.
#pragma once

#include <functional>
#include <string>

#include <attune/backend.hpp>

namespace attune::detail {

/// Takes the backend through supports() for every option, and through estimate, plan, describe, workspace and execute
/// for the plainest problem. `stage` is told what comes next. Answers what it did wrong; empty: nothing.
std::string rehearse(const Backend& backend, const Machine& machine, const std::function<void(const char*)>& stage);

}  // namespace attune::detail
