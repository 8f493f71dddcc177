// What `attune plugin check` is asked to do, and what it learns of the file.
#pragma once

#include <string>
#include <vector>

#include <attune/backend.hpp>

#include "tests/conformance/suite.hpp"

namespace attune::tool {

struct CheckRequest {
  std::string file;
  conformance::Settings settings;  // tier, filter, seed
  std::string isa;                 // test this variant alone; empty: all
  test::ChildLimits limits;
  std::string json;  // where facts go: a file, "-" for standard output, empty for nowhere
};

/// What the plugin says of itself.
struct PluginFacts {
  std::string name, description;
  std::vector<Isa> isas;
  TraitSet traits;
};

/// What one case came to with one variant.
struct CheckResult {
  Isa isa = Isa::generic;
  conformance::IsolatedReport report;
};

}  // namespace attune::tool
