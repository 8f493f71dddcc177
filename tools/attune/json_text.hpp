// JSON as every command prints it.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace attune::tool {

/// File names need not be UTF-8, and JSON must be: other bytes are replaced.
inline std::string json_text(const nlohmann::ordered_json& facts) {
  return facts.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace attune::tool
