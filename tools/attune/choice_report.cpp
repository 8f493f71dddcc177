#include "tools/attune/choice_report.hpp"

namespace attune::tool {

nlohmann::ordered_json facts_of(const Candidate& candidate) {
  nlohmann::ordered_json facts{{"backend", candidate.backend}, {"eligible", candidate.eligible}};
  if (candidate.eligible) {
    facts["estimated_seconds"] = candidate.estimated_seconds;
  } else {
    facts["reason"] = candidate.reason;
  }
  return facts;
}

}  // namespace attune::tool
