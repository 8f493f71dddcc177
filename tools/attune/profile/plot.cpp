#include "tools/attune/profile/plot.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <fmt/format.h>

#include "tools/attune/profile/markup.hpp"
#include "tools/attune/units.hpp"

namespace attune::tool::profile {
namespace {

// In units of the view box: small enough that its text can be read on a phone, where it is scaled down.
constexpr double width = 440, height = 330;
constexpr double left = 52, top = 14, bottom = 286;  // of the area that lines are drawn in; right: Scale
constexpr double label_height = 15;

struct Range {
  double low, high;
};

Range range_of(const Plot& plot, double Line::Mark::* coordinate) {
  Range range{INFINITY, 0};
  for (const Line& line : plot.lines)
    for (const Line::Mark& mark : line.marks) {
      range.low = std::min(range.low, mark.*coordinate);
      range.high = std::max(range.high, mark.*coordinate);
    }
  return range;
}

/// Where things lie.
class Scale {
 public:
  explicit Scale(const Plot& plot)
      : percent_(plot.axis == Plot::Axis::percent),
        x_(range_of(plot, &Line::Mark::x)),
        y_(range_of(plot, &Line::Mark::y)) {
    constexpr double letter = 8.3;  // a bold one's width, on average
    std::size_t longest = 0;
    for (const Line& line : plot.lines) longest = std::max(longest, line.label.size() + line.exponent.size() + 1);
    right_ = std::max(200.0, width - 17 - letter * static_cast<double>(longest));
    if (percent_) y_ = {0, std::max(1.0, y_.high)};
    y_.low /= percent_ ? 1 : 1.2;  // the lowest mark stands clear of the axis
    if (x_.low == x_.high) x_ = {x_.low / 2, x_.high * 2};
    if (y_.low == y_.high) y_ = {y_.low / 2, y_.high * 2};
  }

  /// Leaves room for the longest label.
  double right() const { return right_; }
  double x(double value) const {
    return left + (right_ - left) * std::log(value / x_.low) / std::log(x_.high / x_.low);
  }
  double y(double value) const {
    const double share = percent_ ? value / y_.high : std::log(value / y_.low) / std::log(y_.high / y_.low);
    return bottom - (bottom - top) * share;
  }
  Range range_x() const { return x_; }
  Range range_y() const { return y_; }

 private:
  bool percent_;
  Range x_, y_;
  double right_ = width;
};

std::vector<double> powers(double base, Range range) {
  std::vector<double> ticks;
  for (double tick = std::pow(base, std::ceil(std::log(range.low) / std::log(base) - 1e-9));
       tick <= range.high * (1 + 1e-9); tick *= base)
    ticks.push_back(tick);
  return ticks;
}

/// Every second, third … of too many.
std::vector<double> thinned(const std::vector<double>& ticks, std::size_t most) {
  const std::size_t step = (ticks.size() + most - 1) / std::max<std::size_t>(most, 1);
  std::vector<double> kept;
  for (std::size_t i = 0; i < ticks.size(); i += std::max<std::size_t>(step, 1)) kept.push_back(ticks[i]);
  return kept;
}

std::vector<double> ticks_y(const Plot& plot, const Scale& scale) {
  if (plot.axis == Plot::Axis::percent) return {0, 0.25, 0.5, 0.75, 1};
  if (plot.axis == Plot::Axis::seconds) return thinned(powers(10, scale.range_y()), 8);
  return thinned(powers(4, scale.range_y()), 8);
}

std::string text_y(const Plot& plot, double value) {
  if (plot.axis == Plot::Axis::percent) return fmt::format("{:.0f} %", 100 * value);
  if (plot.axis == Plot::Axis::bytes) return size(value);
  return value < 60 ? duration(value) : fmt::format("{:.0f} s", value);  // a tick of 100 s is not 1.67 min
}

std::string draw_axes(const Plot& plot, const Scale& scale) {
  std::string svg;
  for (const double tick : ticks_y(plot, scale))
    svg += fmt::format(
        "<path class=\"grid\" d=\"M{} {:.1f}H{}\"/><text class=\"tick\" x=\"{}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{}</text>\n",
        left, scale.y(tick), scale.right(), left - 6, scale.y(tick) + 4, text_y(plot, tick));
  for (const double tick : thinned(powers(2, scale.range_x()), 8))
    svg += fmt::format(
        "<path class=\"grid\" d=\"M{0:.1f} {1}v4\"/><text class=\"tick\" x=\"{0:.1f}\" y=\"{2}\" "
        "text-anchor=\"middle\">{3}</text>\n",
        scale.x(tick), bottom, bottom + 18, sequence_length(std::llround(tick)));
  return svg + fmt::format(
                   "<path class=\"axis\" d=\"M{} {}H{}\"/><text class=\"tick\" x=\"{}\" y=\"{}\" "
                   "text-anchor=\"middle\">{}</text>\n",
                   left, bottom, scale.right(), (left + scale.right()) / 2, bottom + 36, escaped(plot.x_label));
}

constexpr std::size_t colour_count = 6;  // of plot_style()

/// The way to an expectation is drawn apart, dashed.
std::string draw_line(const Plot& plot, const Line& line, const Scale& scale) {
  std::string solid, dashed, dots;
  const auto& marks = line.marks;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const Line::Mark& m = marks[i];
    if (i > 0)
      (m.measured && marks[i - 1].measured ? solid : dashed) += fmt::format(
          "M{:.1f} {:.1f}L{:.1f} {:.1f}", scale.x(marks[i - 1].x), scale.y(marks[i - 1].y), scale.x(m.x), scale.y(m.y));
    dots +=
        fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{} at {}: {}{}</title></circle>",
                    m.measured ? "dot" : "hollow", scale.x(m.x), scale.y(m.y), escaped(line.label),
                    sequence_length(std::llround(m.x)), text_y(plot, m.y), m.measured ? "" : " (expected)");
  }
  return fmt::format("<g class=\"c{}\"><path class=\"line\" d=\"{}\"/><path class=\"line dashed\" d=\"{}\"/>{}</g>\n",
                     line.colour % colour_count, solid, dashed, dots);
}

/// Heights of the labels: each at its line's end, pushed apart where they would overlap.
std::vector<double> label_heights(const Plot& plot, const Scale& scale) {
  std::vector<std::size_t> order(plot.lines.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<double> heights;
  for (const Line& line : plot.lines) heights.push_back(scale.y(line.marks.back().y));
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return heights[a] < heights[b]; });
  for (std::size_t i = 1; i < order.size(); ++i)
    heights[order[i]] = std::max(heights[order[i]], heights[order[i - 1]] + label_height);
  double lowest = bottom;
  for (std::size_t i = order.size(); i-- > 0; lowest = heights[order[i]] - label_height)
    heights[order[i]] = std::min(heights[order[i]], lowest);
  return heights;
}

std::string draw_label(const Line& line, const Scale& scale, double y) {
  const double end_x = scale.x(line.marks.back().x), end_y = scale.y(line.marks.back().y);
  std::string exponent;
  if (!line.exponent.empty())
    exponent = fmt::format(" <tspan class=\"n\">n</tspan><tspan class=\"power\" dy=\"-5\">{}</tspan>", line.exponent);
  return fmt::format(
      "<g class=\"c{}\"><path class=\"lead\" d=\"M{:.1f} {:.1f}L{} {:.1f}\"/><text class=\"label\" x=\"{}\" "
      "y=\"{:.1f}\">{}{}</text></g>\n",
      line.colour % colour_count, end_x + 4, end_y, scale.right() + 12, y, scale.right() + 15, y + 4,
      escaped(line.label), exponent);
}

}  // namespace

std::string svg_of(const Plot& plot) {
  const Scale scale(plot);
  const std::vector<double> heights = label_heights(plot, scale);
  std::string svg = fmt::format(
      "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" "
      "aria-label=\"{}\">\n<title>{}</title>\n",
      width, height, escaped(plot.title), escaped(plot.title));
  svg += draw_axes(plot, scale);
  for (const Line& line : plot.lines) svg += draw_line(plot, line, scale);
  for (std::size_t i = 0; i < plot.lines.size(); ++i) svg += draw_label(plot.lines[i], scale, heights[i]);
  return svg + "</svg>\n";
}

std::string plot_style() {
  // Okabe and Ito's colours, which colour-blind eyes tell apart, darker on white and lighter on black.
  std::string css =
      ".plot{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}\n"
      ".tick{fill:#5a6068}.grid{stroke:#dfe3e8;fill:none}.axis{stroke:#9aa2ab;fill:none}\n"
      ".line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}.dashed{stroke-dasharray:2 5}\n"
      ".dot{stroke:none}.label{stroke:none;font-weight:600}.n{font-style:italic}.power{font-size:10px}\n"
      ".lead{fill:none;stroke-width:1;opacity:.45}\n";
  const auto colours = [](std::initializer_list<const char*> list, const std::string& paper) {
    std::string rules;
    int i = 0;
    for (const char* colour : list)
      rules +=
          fmt::format(".c{0} path{{stroke:{1}}}.c{0} .dot,.c{0} text{{fill:{1}}}.c{0} .hollow{{stroke:{1};fill:{2}}}\n",
                      i++, colour, paper);
    return rules;
  };
  css += colours({"#0060a8", "#c2410c", "#00795a", "#a83279", "#8a6d00", "#475569"}, "#ffffff");
  css += "@media (prefers-color-scheme: dark){\n.tick{fill:#a3abb5}.grid{stroke:#2c333b}.axis{stroke:#59626d}\n";
  css += colours({"#5bb4f5", "#ff9b5e", "#3ecf9f", "#f08cc8", "#e8c84a", "#a8b5c7"}, "#14181d");
  return css + "}\n";
}

std::string svg_file_of(const Plot& plot) {
  std::string svg = svg_of(plot);
  const std::size_t head = svg.find(">\n") + 2;
  return svg.insert(head, "<style>" + plot_style() +
                              "svg.plot{background:#fff}\n"
                              "@media (prefers-color-scheme: dark){svg.plot{background:#14181d}}</style>\n");
}

}  // namespace attune::tool::profile
