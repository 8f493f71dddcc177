// How a case ends early.
#pragma once

#include <stdexcept>

namespace attune::conformance {

/// The subject does something wrong.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The case does not apply to the subject; the message is the reason.
struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace attune::conformance
