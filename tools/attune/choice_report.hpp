// A choice of the engine, as every command prints it in JSON.
#pragma once

#include <attune/engine.hpp>
#include <nlohmann/json.hpp>

namespace attune::tool {

nlohmann::ordered_json facts_of(const Variant& variant);
nlohmann::ordered_json facts_of(const Measurement& measurement);
nlohmann::ordered_json facts_of(const Candidate& candidate);

}  // namespace attune::tool
