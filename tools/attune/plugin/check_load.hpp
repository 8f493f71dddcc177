// Loading the file under test: in children alone, so that whatever happens then is a finding.
#pragma once

#include <memory>
#include <string>

#include "tools/attune/plugin/check_request.hpp"

namespace attune::tool {

/// Loads the file into this process. Throws Error saying why it cannot be used.
std::shared_ptr<const Backend> load_here(const std::string& file);

struct LoadFinding {
  conformance::Verdict verdict = conformance::Verdict::pass;
  std::string reason;   // if not a pass
  std::string printed;  // the end of what the file printed meanwhile
  PluginFacts facts;    // of a pass
};

/// Reads the file, then loads it in a child and asks it what it is.
LoadFinding examine(const CheckRequest& request);

}  // namespace attune::tool
