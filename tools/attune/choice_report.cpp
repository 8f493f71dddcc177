#include "tools/attune/choice_report.hpp"

namespace attune::tool {

nlohmann::ordered_json facts_of(const Variant& variant) {
  nlohmann::ordered_json facts{{"backend", variant.backend}, {"isa", name(variant.isa)}, {"threads", variant.threads}};
  if (!variant.tiling.empty()) facts["tiling"] = variant.tiling;
  return facts;
}

nlohmann::ordered_json facts_of(const Measurement& measurement) {
  nlohmann::ordered_json facts = facts_of(measurement.variant);
  if (measurement.samples > 0) {
    facts["seconds"] = measurement.seconds;
    facts["spread"] = measurement.spread;
  }
  facts["samples"] = measurement.samples;
  facts["verdict"] = measurement.verdict;
  return facts;
}

nlohmann::ordered_json facts_of(const Candidate& candidate) {
  nlohmann::ordered_json facts{{"backend", candidate.backend}, {"eligible", candidate.eligible}};
  if (candidate.eligible) {
    facts["estimated_seconds"] = candidate.estimated_seconds;
    if (candidate.measured) facts["measured"] = facts_of(*candidate.measured);
  } else {
    facts["reason"] = candidate.reason;
  }
  return facts;
}

}  // namespace attune::tool
