// From what a caller passed to what a backend sees.
#pragma once

#include <attune/arguments.hpp>

namespace attune::detail {

/// Checks what needs pointers (null, alignment, overlap) of a call that has been described, and makes its arguments.
/// Throws Error(invalid_argument) naming the argument; writes nothing.
Arguments bound_arguments(const Tensors& tensors, const AttentionOptions& options, const Description& call);

}  // namespace attune::detail
