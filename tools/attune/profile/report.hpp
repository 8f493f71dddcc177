// A profile as pictures and as a page.
#pragma once

#include <string>
#include <vector>

#include "tools/attune/profile/plot.hpp"
#include "tools/attune/profile/profile.hpp"

namespace attune::tool::profile {

/// What the variants cost beside each other (time, share of peak, memory; each by its fastest backend), then for each
/// variant its backends. Plots without a point are left out.
std::vector<Plot> plots_of(const Profile& profile);

/// One HTML file that loads nothing.
std::string html_of(const Profile& profile);

/// Writes each plot as DIR/NAME.svg, and as DIR/NAME.png where rsvg-convert is installed; makes DIR. Returns what there
/// is to say about it. Throws io::WriteError.
std::string write_plots(const Profile& profile, const std::string& folder);

/// Writes text to a file, whole or not at all. Throws io::WriteError.
void write_text(const std::string& path, const std::string& text);

}  // namespace attune::tool::profile
