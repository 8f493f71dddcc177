// A line plot as SVG: logarithmic in length, its lines labelled where they end. No library that Debian packages draws
// SVG whose colours follow the page it stands in (light or dark), and this is all that is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace attune::tool::profile {

struct Line {
  struct Mark {
    double x, y;
    bool measured = true;  // otherwise an expectation: hollow, and the way to it dashed
  };
  std::string label;        // at its end
  std::string exponent;     // behind the label, raised: "n^1.98"; empty: none
  std::vector<Mark> marks;  // by rising x
  std::size_t colour = 0;   // the same for whatever is the same in several plots
};

struct Plot {
  enum class Axis : std::uint8_t { seconds, bytes, percent };  // percent is linear from 0, the others logarithmic

  std::string name;   // of its file
  std::string title;  // what is seen
  Axis axis = Axis::seconds;
  std::string x_label = "sequence length";
  std::vector<Line> lines;
};

/// An <svg> element. It uses the classes that plot_style() defines.
std::string svg_of(const Plot& plot);

/// The CSS of all plots, for the page's head.
std::string plot_style();

/// A file of its own, with the style in it.
std::string svg_file_of(const Plot& plot);

}  // namespace attune::tool::profile
