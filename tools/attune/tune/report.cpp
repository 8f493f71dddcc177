#include "tools/attune/tune/report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/attune/choice_report.hpp"
#include "tools/attune/columns.hpp"
#include "tools/attune/json_text.hpp"
#include "tools/attune/units.hpp"

namespace attune::tool {
namespace {

std::string words_of(const Variant& variant, std::size_t width) {
  return fmt::format("{:<{}} {:<12} {:>3} {} {:<12}", variant.backend, width, name(variant.isa), variant.threads,
                     variant.threads == 1 ? "thread " : "threads", variant.tiling);
}

}  // namespace

std::size_t backend_width(const std::vector<Measurement>& measurements) {
  return column_width(measurements, [](const Measurement& m) -> std::string_view { return m.variant.backend; }, 8);
}

void print_tuned(const Tuned& tuned) {
  fmt::print("{}\n", tuned.problem);
  if (!tuned.pinned.empty()) fmt::print("  pinned: {}\n", tuned.pinned);
  const std::size_t width = backend_width(tuned.result.measurements);
  for (const Measurement& m : tuned.result.measurements) {
    const std::string time =
        m.samples == 0 ? "" : fmt::format("{:>8} ± {:<8}", duration(m.seconds), duration(m.spread));
    fmt::print("{} {}  {:<19}  {}\n", m.variant == tuned.result.winner ? "*" : " ", words_of(m.variant, width), time,
               m.verdict);
  }
  fmt::print("  {}\n\n", tuned.result.why);
}

void print_tuned_json(const Engine& engine, const std::vector<Tuned>& all, bool interrupted) {
  nlohmann::ordered_json json{{"wisdom", engine.wisdom_file()}, {"interrupted", interrupted}};
  json["problems"] = nlohmann::ordered_json::array();
  for (const Tuned& tuned : all) {
    nlohmann::ordered_json one{{"problem", tuned.problem}, {"pinned", tuned.pinned}};
    one["winner"] = facts_of(tuned.result.winner);
    one["why"] = tuned.result.why;
    one["learned"] = tuned.result.learned;
    one["note"] = tuned.result.note;
    one["seconds"] = tuned.result.seconds;
    one["measurements"] = nlohmann::ordered_json::array();
    for (const Measurement& m : tuned.result.measurements) one["measurements"].push_back(facts_of(m));
    json["problems"].push_back(one);
  }
  fmt::print("{}\n", json_text(json));
}

}  // namespace attune::tool
