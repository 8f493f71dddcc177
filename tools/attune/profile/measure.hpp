// Measuring a profile: from short lengths to long ones, all contestants of a length in turn, within a budget of time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <attune/engine.hpp>

#include "tools/attune/profile/profile.hpp"
#include "tools/attune/profile/variant.hpp"

namespace attune::tool::profile {

struct Request {
  Setting setting;
  std::vector<std::int64_t> lengths;  // rising
  std::vector<Variant> variants;
  std::vector<std::string> backends;  // of the engine
  std::string isa;                    // empty: each backend's best
  int threads = 0;                    // of backends that use several; 0: as many as the machine has
};

/// What the budget does not allow is left out with the reason and what it would have taken. Every result is checked
/// before it is timed. Shows its progress on a terminal; Ctrl-C ends it early and keeps what was measured.
Profile measure(Engine& engine, const Request& request);

}  // namespace attune::tool::profile
