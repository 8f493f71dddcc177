#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <system_error>

#include <fmt/format.h>

#include "tools/attune/io/pending_file.hpp"
#include "tools/attune/profile/findings.hpp"
#include "tools/attune/profile/report.hpp"

namespace attune::tool::profile {
namespace {

std::string x_label(Mode mode) { return mode == Mode::prefill ? "sequence length (tokens)" : "keys"; }

std::string exponent_of(const Curve& curve) {
  const auto fit = fit_of(curve);
  return fit ? fmt::format("{:.2f}", fit->exponent) : "";
}

/// Without a measured point: no line.
Line line_of(const Curve& curve, const std::string& label, Plot::Axis axis) {
  Line line{label, axis == Plot::Axis::seconds ? exponent_of(curve) : "", {}, 0};
  if (last_measured(curve) == nullptr) return line;
  for (const Point& p : curve.points) {
    const auto x = static_cast<double>(p.length);
    if (axis == Plot::Axis::seconds && !p.measured() && p.expected_seconds > 0 &&
        p.length > last_measured(curve)->length)
      line.marks.push_back({x, p.expected_seconds, false});
    if (!p.measured()) continue;
    line.marks.push_back({x,
                          axis == Plot::Axis::seconds ? p.seconds
                          : axis == Plot::Axis::bytes ? p.peak_bytes
                                                      : p.share_of_peak(),
                          true});
  }
  return line;
}

/// "bigbird" of "block-sparse:bigbird": a label beside a line must be short.
std::string short_name(const std::string& variant) {
  const std::string prefix = "block-sparse:";
  std::string name = variant;
  for (std::size_t at; (at = name.find(prefix)) != std::string::npos;) name.erase(at, prefix.size());
  return name == "linear" || name == "causal+linear" || name == "linear+causal" ? name + " (not softmax)" : name;
}

std::string file_name(std::string text) {
  for (char& c : text)
    if (c == ':' || c == '+' || c == '/') c = '-';
  return text;
}

Plot best_plot(const Profile& profile, const std::string& name, const std::string& title, Plot::Axis axis) {
  Plot plot{name, title, axis, x_label(profile.setting.mode), {}};
  for (std::size_t v = 0; v < profile.variants.size(); ++v)
    if (const Curve* curve = best_of(profile, profile.variants[v])) {
      plot.lines.push_back(line_of(*curve, short_name(profile.variants[v]), axis));
      plot.lines.back().colour = v;
    }
  return plot;
}

Plot backends_plot(const Profile& profile, const std::string& variant) {
  Plot plot{"backends-" + file_name(variant), variant, Plot::Axis::seconds, x_label(profile.setting.mode), {}};
  std::size_t backend = 0;
  for (const Curve& curve : profile.curves)
    if (curve.variant == variant) {
      plot.lines.push_back(line_of(curve, curve.backend, plot.axis));
      plot.lines.back().colour = backend++;
    }
  std::erase_if(plot.lines, [](const Line& line) { return line.marks.empty(); });
  return plot;
}

/// False where the program is not installed.
bool convert_to_png(const std::string& svg, const std::string& png) {
  std::string words[] = {"rsvg-convert", "--zoom", "2", "--output", png, svg};
  char* arguments[7] = {};
  for (std::size_t i = 0; i < 6; ++i) arguments[i] = words[i].data();
  pid_t child = 0;
  if (posix_spawnp(&child, "rsvg-convert", nullptr, nullptr, arguments, environ) != 0) return false;
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return false;  // an older libc says it so
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw io::WriteError(png + ": rsvg-convert could not draw it");
  return true;
}

}  // namespace

std::vector<Plot> plots_of(const Profile& profile) {
  std::vector<Plot> plots{
      best_plot(profile, "time", "Time of one call, the fastest backend of each variant", Plot::Axis::seconds),
      best_plot(profile, "share-of-peak", "Share of the machine's multiply-add peak", Plot::Axis::percent),
      best_plot(profile, "memory", "Memory: tensors, workspace and what else a call was seen to take",
                Plot::Axis::bytes)};
  for (const std::string& variant : profile.variants) plots.push_back(backends_plot(profile, variant));
  std::erase_if(plots, [](const Plot& plot) { return plot.lines.empty(); });
  return plots;
}

void write_text(const std::string& path, const std::string& text) {
  io::check_destination(path);
  io::PendingFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.finish();
  file.commit();
}

std::string write_plots(const Profile& profile, const std::string& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw io::WriteError(folder + ": " + failure.message());
  bool png = true;
  const std::vector<Plot> plots = plots_of(profile);
  for (const Plot& plot : plots) {
    const std::string base = folder + "/" + plot.name;
    write_text(base + ".svg", svg_file_of(plot));
    png = png && convert_to_png(base + ".svg", base + ".png");
  }
  return fmt::format("{} plots in {}: SVG{}", plots.size(), folder,
                     png ? " and PNG" : " (PNG needs rsvg-convert; on Debian: apt install librsvg2-bin)");
}

}  // namespace attune::tool::profile
