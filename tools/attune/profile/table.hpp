// A profile for a terminal.
#pragma once

#include "tools/attune/profile/profile.hpp"

namespace attune::tool::profile {

void print_table(const Profile& profile);

}  // namespace attune::tool::profile
