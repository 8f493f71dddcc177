// attune_roofline: every result as a share of what this machine can do, measured in the same run.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <attune/attune.hpp>

#include "bench/program.hpp"
#include "bench/roofline/report.hpp"

namespace attune::bench {
namespace {

struct CommandLine {
  std::string filter, isa, backend;
  int threads = 0;
  double seconds = 0.5;
  bool json = false, markdown = false, list = false;

  Format format() const { return json ? Format::json : markdown ? Format::markdown : Format::text; }
};

void declare(CLI::App& program, CommandLine& line) {
  program.add_option("--filter", line.filter, "Only rows whose name holds this text, for example \"bf16 causal\"");
  program.add_option("--isa", line.isa, "Kernels of this instruction set, against its own peaks (default: the best)");
  program.add_option("--backend", line.backend, "This backend (default: the engine's choice)");
  program.add_option("--threads", line.threads, "Only this many threads (default: 1, and all cores)")
      ->check(CLI::Range(1, 256));
  program.add_option("--seconds", line.seconds, "Time for each row, preparation not counted")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  auto* json = program.add_flag("--json", line.json, "Print everything as JSON");
  program.add_flag("--markdown", line.markdown, "Print the tables in Markdown")->excludes(json);
  program.add_flag("--list", line.list, "Print the names of the rows and measure nothing");
  program.footer(
      "A share is the median over samples of a kernel's rate by the limit measured just before and after it.\n"
      "Scaling is the share on all threads over the share on one. Exit status: 0 measured, whether or not floors\n"
      "are reached; 1 a result was wrong or could not be had; 2 the command line was wrong.");
}

/// The instruction set of the table. Throws Error where this machine lacks it.
Isa chosen_isa(const Machine& machine, const std::string& wanted) {
  if (wanted.empty()) return machine.isa;
  std::string known;
  for (const Isa isa : machine.isas) {
    if (wanted == name(isa)) return isa;
    known += std::string(known.empty() ? "" : ", ") + name(isa);
  }
  throw Error(ErrorCode::invalid_argument, "--isa is " + wanted + "; this machine runs " + known);
}

std::vector<std::shared_ptr<Executor>> executors(int threads, int cores) {
  if (threads != 0) return {make_executor(threads)};
  if (cores == 1) return {make_executor(1)};
  return {make_executor(1), make_executor(cores)};
}

int run(const CommandLine& line) {
  Engine& engine = default_engine();
  const Machine& machine = engine.machine();
  const Isa isa = chosen_isa(machine, line.isa);
  std::vector<Row> table = rows(machine, isa, !line.isa.empty());
  std::erase_if(table, [&](const Row& row) { return row.name().find(line.filter) == std::string::npos; });
  if (table.empty())
    throw Error(ErrorCode::invalid_argument, "--filter is " + line.filter + "; no row has that name (see --list)");
  if (line.list) {
    for (const Row& row : table) fmt::print("{}\n", row.name());
    return 0;
  }
  const Settings settings{executors(line.threads, machine.cores), line.seconds, line.backend};
  std::vector<MachineLimits> limits;
  for (const auto& executor : settings.executors) limits.push_back(measure_machine(isa, *executor));
  Report report(line.format(), machine, isa, std::move(limits));
  for (const Row& row : table) report.add(measure(engine, row, settings));
  report.finish();
  return report.correct() ? 0 : 1;
}

}  // namespace
}  // namespace attune::bench

int main(int argc, char** argv) {
  using namespace attune;
  CLI::App program("Measures attention as a share of this machine's own limits.", "attune_roofline");
  bench::CommandLine line;
  bench::declare(program, line);
  return bench::run_program(program, argc, argv, [&line] { return bench::run(line); });
}
