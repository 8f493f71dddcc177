#include "bench/roofline/report.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/roofline/floors.hpp"

namespace attune::bench {
namespace {

using Json = nlohmann::ordered_json;

const char* word(Limit limit) {
  switch (limit) {
    case Limit::multiply_add:
      return "multiply-add";
    case Limit::bf16_pairs:
      return "bf16 pairs";
    case Limit::read:
      return "read";
    case Limit::slower:
      return "read or arithmetic";
    case Limit::dispatch:
      return "call";
  }
  return "";
}

/// Cells of a row, for either kind of table.
using Cells = std::vector<std::string>;
constexpr int first_width = 36, width = 9;

void print_cells(Format format, const Cells& cells) {
  if (format == Format::markdown) {
    fmt::print("| {} |\n", fmt::join(cells, " | "));
  } else {
    fmt::print("{:<{}}", cells.front(), first_width);
    for (std::size_t i = 1; i < cells.size(); ++i) fmt::print(" {:>{}}", cells[i], width);
    fmt::print("\n");
  }
  std::fflush(stdout);
}

std::string percent(double share) { return share == 0 ? "" : fmt::format("{:.1f}%", share * 100); }

/// Rate, share and floor of one reading.
void append_reading(const Result& result, std::size_t index, Cells& cells) {
  const Reading& reading = result.readings[index];
  const double floor = floor_of(result, index);
  if (result.row.limit == Limit::dispatch) {
    cells.push_back(fmt::format("{:.2f} us", reading.seconds * 1e6));
    cells.push_back(fmt::format("+{:.2f} us", reading.share));
    cells.push_back(floor == 0 ? "" : fmt::format("{:.1f} us", floor));
    return;
  }
  const bool bytes = result.row.limit == Limit::read;
  cells.push_back(
      fmt::format("{:.1f} {}", (bytes ? result.bytes : result.flops) / reading.seconds * 1e-9, bytes ? "GB" : "GF"));
  cells.push_back(percent(reading.share));
  cells.push_back(percent(floor));
}

std::string verdict(const Result& result) {
  const Tally found = tally(result);
  return found.set == 0 ? "" : found.missed == 0 ? "reached" : "BELOW";
}

Json facts_of(const MachineLimits& limits) {
  return {{"threads", limits.threads},
          {"multiply_add_flops", limits.multiply_add},
          {"bf16_pairs_flops", limits.bf16_pairs},
          {"read_12_mib_bytes_per_second", limits.cached_read},
          {"read_128_mib_bytes_per_second", limits.memory_read}};
}

Json facts_of(const Result& result) {
  const Row& row = result.row;
  Json facts{{"name", row.name()},
             {"dtype", name(row.shape.dtype)},
             {"isa", name(row.isa)},
             {"limit", word(row.limit)},
             {"flops", result.flops},
             {"key_value_bytes", result.bytes},
             {"error", result.difference.largest},
             {"relative_error", result.difference.relative}};
  if (!result.difference.fault.empty()) facts["fault"] = result.difference.fault;
  facts["readings"] = Json::array();
  for (std::size_t i = 0; i < result.readings.size(); ++i) {
    const Reading& reading = result.readings[i];
    facts["readings"].push_back({{"threads", reading.threads},
                                 {"backend", reading.backend},
                                 {"seconds", reading.seconds},
                                 {"limit_per_second", reading.limit},
                                 {row.limit == Limit::dispatch ? "microseconds_beyond_kernel" : "share", reading.share},
                                 {"quartiles", {reading.low, reading.high}},
                                 {"floor", floor_of(result, i)}});
  }
  facts["scaling"] = result.scaling;
  facts["scaling_floor"] = row.floors.scaling;
  const Tally found = tally(result);
  facts["floors_set"] = found.set;
  facts["floors_missed"] = found.missed;
  return facts;
}

}  // namespace

Report::Report(Format format, const Machine& machine, Isa isa, std::vector<MachineLimits> limits)
    : format_(format), machine_(machine), isa_(isa), limits_(std::move(limits)) {
  if (format_ != Format::json) print_heading();
}

void Report::print_heading() const {
  fmt::print("attune {} on {}, {}\n\n", version(), machine_.cpu, name(isa_));
  const auto giga = [](double x) { return x == 0 ? std::string("-") : fmt::format("{:.1f}", x * 1e-9); };
  Cells heads{"limit of the machine"}, arithmetic{"f32 multiply-add, GFLOP/s"}, pairs{"bf16 pairs, GFLOP/s"},
      cached{"read, 12 MiB, GB/s"}, memory{"read, 128 MiB, GB/s"}, rule{":--"};
  for (const MachineLimits& limits : limits_) {
    heads.push_back(fmt::format("{} thr.", limits.threads));
    arithmetic.push_back(giga(limits.multiply_add));
    pairs.push_back(giga(limits.bf16_pairs));
    cached.push_back(giga(limits.cached_read));
    memory.push_back(giga(limits.memory_read));
    rule.push_back("--:");
  }
  print_cells(format_, heads);
  if (format_ == Format::markdown) print_cells(format_, rule);
  for (const Cells& cells : {arithmetic, pairs, cached, memory}) print_cells(format_, cells);

  heads = {"row"}, rule = {":--"};
  for (const MachineLimits& limits : limits_)
    for (const auto& head : {fmt::format("{} thr.", limits.threads), std::string("share"), std::string("floor")})
      heads.push_back(head), rule.push_back("--:");
  for (const char* head : {"scaling", "floor", "backend", ""}) heads.push_back(head), rule.push_back("--:");
  fmt::print("\n");
  print_cells(format_, heads);
  if (format_ == Format::markdown) print_cells(format_, rule);
}

void Report::add(const Result& result) {
  results_.push_back(result);
  if (format_ != Format::json) print_row(result);
}

void Report::print_row(const Result& result) const {
  Cells cells{result.row.name()};
  if (!result.difference.fault.empty()) {
    cells.push_back("WRONG RESULT: " + result.difference.fault);
    return print_cells(format_, cells);
  }
  for (std::size_t i = 0; i < result.readings.size(); ++i) append_reading(result, i, cells);
  cells.push_back(result.scaling == 0 ? "" : fmt::format("{:.3f}", result.scaling));
  cells.push_back(
      result.scaling == 0 || result.row.floors.scaling == 0 ? "" : fmt::format("{:.2f}", result.row.floors.scaling));
  cells.push_back(result.readings.back().backend);
  cells.push_back(verdict(result));
  print_cells(format_, cells);
}

void Report::print_summary() const {
  Tally total;
  std::map<std::string, Difference> errors;
  for (const Result& result : results_) {
    const Tally found = tally(result);
    total.set += found.set;
    total.missed += found.missed;
    Difference& error = errors[name(result.row.shape.dtype)];
    error.largest = std::max(error.largest, result.difference.largest);
    error.relative = std::max(error.relative, result.difference.relative);
  }
  fmt::print("\n{} of {} floors are reached (within {} point).\n", total.set - total.missed, total.set, spread * 100);
  for (const auto& [dtype, error] : errors)
    fmt::print("Largest error of {} against float64: {:.2e}, {:.2e} of the row's largest element.\n", dtype,
               error.largest, error.relative);
}

void Report::print_json() const {
  Json facts{{"version", version()}, {"cpu", machine_.cpu}, {"cores", machine_.cores}, {"isa", name(isa_)}};
  facts["limits"] = Json::array();
  for (const MachineLimits& limits : limits_) facts["limits"].push_back(facts_of(limits));
  facts["rows"] = Json::array();
  for (const Result& result : results_) facts["rows"].push_back(facts_of(result));
  fmt::print("{}\n", facts.dump(2));
}

void Report::finish() const { format_ == Format::json ? print_json() : print_summary(); }

bool Report::correct() const {
  return std::all_of(results_.begin(), results_.end(),
                     [](const Result& result) { return result.difference.fault.empty(); });
}

}  // namespace attune::bench
