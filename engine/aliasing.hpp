// Who writes where: outputs may overlap neither inputs nor each other nor themselves.
#pragma once

#include <attune/arguments.hpp>

namespace attune::detail {

/// Throws Error(invalid_argument) naming the two tensors. The arguments' memory has been checked.
void check_aliasing(const Arguments& arguments);

}  // namespace attune::detail
