// A heat map as a picture file, drawn by gnuplot.
#pragma once

#include <string>

#include "tools/attune/demo/heat_map.hpp"

namespace attune::tool {

enum class PictureFormat { png, svg };

/// Writes the picture to `path`. Throws io::WriteError when gnuplot is missing, saying how to get it, or when it
/// fails.
void write_picture(const HeatMap& map, const std::string& title, PictureFormat format, const std::string& path);

}  // namespace attune::tool
