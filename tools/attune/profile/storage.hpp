// A profile as JSON, which can be read again, and as CSV.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "tools/attune/profile/profile.hpp"

namespace attune::tool::profile {

/// The points and the setting, and for other programs what follows from them (fits, sentences), which reading ignores.
nlohmann::ordered_json json_of(const Profile& profile);

/// Reads what `attune profile --json` wrote. Throws Error(io) naming the file and what is wrong with it.
Profile read_profile(const std::string& path);

/// A line per point, with a heading.
std::string csv_of(const Profile& profile);

}  // namespace attune::tool::profile
