#include "tools/attune/profile/table.hpp"

#include <fmt/format.h>

#include "tools/attune/profile/findings.hpp"
#include "tools/attune/terminal.hpp"
#include "tools/attune/units.hpp"

namespace attune::tool::profile {
namespace {

/// fmt pads by columns, whatever the bytes.
void print_point(const Point& p) {
  const std::string length = sequence_length(p.length);
  if (p.measured()) {
    fmt::print("  {:>9} {:>9} ±{:>3.0f} % {:>8.1f} {:>5.0f} % {:<10} {:>7.1f} {:>9} {:>9}\n", length,
               duration(p.seconds), 100 * p.spread, p.flops_per_second() * 1e-9, 100 * p.share_of_peak(),
               bar(p.share_of_peak(), 10), p.bytes_per_second() * 1e-9, size(p.workspace_bytes), size(p.peak_bytes));
  } else {
    const std::string expected = p.expected_seconds > 0 ? "~" + duration(p.expected_seconds) : "-";
    fmt::print("  {:>9} {:>9}  not measured: {}\n", length, expected, p.reason);
  }
}

void print_curve(const Curve& curve) {
  const auto fit = fit_of(curve);
  fmt::print("\n{}: {}{}", curve.variant, curve.backend,
             curve.isa.empty()
                 ? ""
                 : fmt::format(" ({}, {} {})", curve.isa, curve.threads, curve.threads == 1 ? "thread" : "threads"));
  if (fit)
    fmt::print(
        ", time grows as {}{}\n", exponent_text(fit),
        fit->margin ? fmt::format(" (95 %, {} to {})", sequence_length(fit->from), sequence_length(fit->to)) : "");
  else
    fmt::print("\n");
  fmt::print("  {:>9} {:>9} {:>6} {:>8} {:>7} {:<10} {:>7} {:>9} {:>9}\n", "length", "time", "", "GFLOP/s", "of peak",
             "", "GB/s", "workspace", "memory");
  for (const Point& point : curve.points) print_point(point);
}

}  // namespace

void print_table(const Profile& profile) {
  const Setting& s = profile.setting;
  fmt::print("{}, {} cores\n{}: batch {}, {} heads ({} of key and value), head_dim {}, {}{}\n", s.cpu, s.cores,
             name(s.mode), s.batch, s.heads, s.kv_heads, s.head_dim, s.dtype,
             s.mode == Mode::cross ? fmt::format(", {} queries", s.queries) : "");
  for (const Curve& curve : profile.curves) print_curve(curve);
  fmt::print("\n{}\n", headline(profile));
  for (const std::string& remark : remarks(profile)) fmt::print("- {}\n", remark);
}

}  // namespace attune::tool::profile
