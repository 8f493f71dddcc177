#include "tools/attune/profile/report.hpp"

#include <regex>

#include <fmt/format.h>

#include "tools/attune/profile/findings.hpp"
#include "tools/attune/profile/markup.hpp"
#include "tools/attune/units.hpp"

namespace attune::tool::profile {
namespace {

constexpr const char* page_style = R"(
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5a6068;--rule:#dfe3e8;--paper:#fff}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaee;--soft:#a3abb5;--rule:#2c333b;--paper:#14181d}}
body{margin:0 auto;max-width:68rem;padding:1.2rem 1rem 3rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}
h1{font-size:1.35rem;line-height:1.35;font-weight:650;margin:.2rem 0 .4rem;max-width:52rem;text-wrap:pretty}
sup{line-height:0}h2{font-size:1.05rem;margin:2rem 0 .3rem}
.soft,figcaption{color:var(--soft);font-size:.875rem;margin:.2rem 0}
figure{margin:0}.plot{display:block;width:100%;height:auto}
.first{display:grid;gap:.5rem 2rem;align-items:center;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr))}
.more{display:grid;gap:1.2rem 2rem;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr))}
.more figure{max-width:34rem}
ul{padding-left:1.1rem;max-width:52rem}li{margin:.15rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.8125rem;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2),td.why{text-align:left}
summary{cursor:pointer;margin-top:2rem;font-weight:600}
)";

/// "n^1.98" with its exponent raised.
std::string with_powers(const std::string& text) {
  static const std::regex power(R"(n\^([0-9.]*[0-9]))");
  return std::regex_replace(escaped(text), power, "<i>n</i><sup>$1</sup>");
}

std::string figure(const Plot& plot) {
  return fmt::format("<figure><figcaption>{}</figcaption>\n{}</figure>\n", escaped(plot.title), svg_of(plot));
}

std::string figures(const std::vector<Plot>& plots, bool (*wanted)(const Plot&)) {
  std::string html;
  for (const Plot& plot : plots)
    if (wanted(plot)) html += figure(plot);
  return html;
}

std::string row_of(const Curve& curve, const Point& p) {
  std::string row = fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td>", escaped(curve.variant), escaped(curve.backend),
                                sequence_length(p.length));
  if (!p.measured())
    return row + fmt::format("<td>{}</td><td class=\"why\" colspan=\"7\">not measured: {}</td></tr>\n",
                             p.expected_seconds > 0 ? "~" + duration(p.expected_seconds) : "", escaped(p.reason));
  return row + fmt::format(
                   "<td>{}</td><td>±{:.0f} %</td><td>{}</td><td>{:.1f}</td><td>{:.0f} "
                   "%</td><td>{:.1f}</td><td>{}</td><td>{}</td></tr>\n",
                   duration(p.seconds), 100 * p.spread, p.runs, p.flops_per_second() * 1e-9, 100 * p.share_of_peak(),
                   p.bytes_per_second() * 1e-9, size(p.workspace_bytes), size(p.peak_bytes));
}

std::string numbers_of(const Profile& profile) {
  std::string html =
      "<details><summary>All numbers</summary>\n<div class=\"wide\"><table>\n<tr><th>variant</th><th>backend</th>"
      "<th>length</th><th>time</th><th>spread</th><th>runs</th><th>GFLOP/s</th><th>of peak</th><th>GB/s</th>"
      "<th>workspace</th><th>memory</th></tr>\n";
  for (const Curve& curve : profile.curves)
    for (const Point& point : curve.points) html += row_of(curve, point);
  return html + "</table></div></details>\n";
}

std::string setting_text(const Setting& s) {
  return fmt::format("{}, {} cores. {}: batch {}, {} heads{}, head_dim {}, {}{}. attune {}", s.cpu, s.cores,
                     name(s.mode), s.batch, s.heads,
                     s.kv_heads == s.heads ? "" : fmt::format(" ({} of key and value)", s.kv_heads), s.head_dim,
                     s.dtype, s.mode == Mode::cross ? fmt::format(", {} queries", s.queries) : "", s.version);
}

constexpr const char* method = R"(<p class="soft">Each result was held against <em>naive</em>, the definition in double,
on sampled rows before it was timed. Times are medians of runs in turn with all others of that length; the spread is
1.48 times their median absolute deviation. Exponents are least squares on logarithms over the longest 16-fold range
of measured lengths, with 95 % confidence. The share of peak is that of multiply-adds (of bf16 tensors: products of
bf16 pairs, where the CPU has them) on the same threads, measured around the runs. GB/s count query, attended keys and values, and out, once each. Hollow marks are expectations, not
measurements.</p>
)";

}  // namespace

std::string html_of(const Profile& profile) {
  const std::vector<Plot> plots = plots_of(profile);
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>Attention against sequence "
      "length</title>\n<link rel=\"icon\" href=\"data:,\"/>\n<style>{}{}</style>\n</head>\n<body>\n<h1>{}</h1>\n<p "
      "class=\"soft\">{}</p>\n",
      page_style, plot_style(), with_powers(headline(profile)), escaped(setting_text(profile.setting)));
  html += "<div class=\"first\">" + figures(plots, [](const Plot& p) { return p.name == "time"; }) + "<ul>\n";
  for (const std::string& remark : remarks(profile)) html += "<li>" + with_powers(remark) + "</li>\n";
  html += "</ul>\n</div>\n<h2>What it takes of the machine</h2>\n<div class=\"more\">\n";
  html += figures(plots, [](const Plot& p) { return p.name == "share-of-peak" || p.name == "memory"; });
  html += "</div>\n<h2>The backends, variant by variant</h2>\n<div class=\"more\">\n";
  html += figures(plots, [](const Plot& p) { return p.name.starts_with("backends-"); });
  return html + "</div>\n" + numbers_of(profile) + method + "</body>\n</html>\n";
}

}  // namespace attune::tool::profile
