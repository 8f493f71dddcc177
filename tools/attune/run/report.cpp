#include "tools/attune/run/report.hpp"

#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/attune/choice_report.hpp"
#include "tools/attune/json_text.hpp"
#include "tools/attune/units.hpp"

namespace attune::tool {
namespace {

void print_line(const char* label, const std::string& words) { fmt::print("{:<16} {}\n", label, words); }

std::string words_of(const Candidate& candidate) {
  if (!candidate.eligible) return fmt::format("{}: {}", candidate.backend, candidate.reason);
  return fmt::format("{}: estimated {}", candidate.backend, duration(candidate.estimated_seconds));
}

nlohmann::ordered_json facts_of(const Output& output) {
  return {{"name", output.name},
          {"file", output.spec},
          {"dtype", name(output.tensor.dtype)},
          {"shape", output.tensor.shape}};
}

}  // namespace

void print_report(const Execution& execution, const std::vector<Output>& outputs) {
  print_line("backend", fmt::format("{} ({})", execution.choice.backend, execution.choice.rule));
  for (const Candidate& candidate : execution.choice.candidates) print_line("", words_of(candidate));
  print_line("instruction set", name(execution.choice.isa));
  print_line("threads", std::to_string(execution.threads));
  print_line("time", fmt::format("{} ({})", duration(execution.seconds),
                                 execution.repeats == 1 ? std::string("one run, the first")
                                                        : fmt::format("median of {} runs", execution.repeats)));
  print_line("rate", fmt::format("{:.3g} GFLOP/s", execution.gflops_per_second()));
  for (const Output& output : outputs) {
    print_line(output.name.c_str(),
               fmt::format("{} {} {}", output.spec, name(output.tensor.dtype), io::text(output.tensor.shape)));
  }
}

void print_json_report(const Execution& execution, const std::vector<Output>& outputs) {
  nlohmann::ordered_json facts{{"backend", execution.choice.backend},
                               {"rule", execution.choice.rule},
                               {"isa", name(execution.choice.isa)},
                               {"threads", execution.threads},
                               {"repeat", execution.repeats},
                               {"seconds", execution.seconds},
                               {"flops", execution.flops},
                               {"gflops_per_second", execution.gflops_per_second()},
                               {"candidates", nlohmann::ordered_json::array()},
                               {"outputs", nlohmann::ordered_json::array()}};
  for (const Candidate& candidate : execution.choice.candidates) facts["candidates"].push_back(facts_of(candidate));
  for (const Output& output : outputs) facts["outputs"].push_back(facts_of(output));
  fmt::print("{}\n", json_text(facts));
}

}  // namespace attune::tool
