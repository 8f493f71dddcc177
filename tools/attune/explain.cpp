#include "tools/attune/explain.hpp"

#include <memory>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/attune/choice_report.hpp"
#include "tools/attune/columns.hpp"
#include "tools/attune/json_text.hpp"
#include "tools/attune/plugin/load.hpp"
#include "tools/attune/problem/sketch.hpp"
#include "tools/attune/units.hpp"

namespace attune::tool {
namespace {

struct ExplainFlags : ProblemFlags {
  bool json = false;
};

void print_line(const char* label, const std::string& words) { fmt::print("{:<10} {}\n", label, words); }

std::string words_of(const Candidate& candidate) {
  if (!candidate.eligible) return "no: " + candidate.reason;
  std::string words = "estimated " + duration(candidate.estimated_seconds);
  if (const auto& m = candidate.measured) {
    words += fmt::format(", measured {} ± {} ({}, {} {}{}{})", duration(m->seconds), duration(m->spread),
                         name(m->variant.isa), m->variant.threads, m->variant.threads == 1 ? "thread" : "threads",
                         m->variant.tiling.empty() ? "" : ", ", m->variant.tiling);
  }
  return words;
}

std::string work(const Explanation& facts) {
  std::string words = fmt::format("{:.4g} MFLOP, {:.0f} pairs of query and key", facts.flops * 1e-6, facts.attended);
  if (facts.skipped_share() > 0) {
    words += fmt::format(" ({:.1f} % of {:.0f} are skipped)", 100 * facts.skipped_share(), facts.pairs);
  }
  return words;
}

void print_text(const Engine& engine, const Description& call, const Explanation& facts) {
  fmt::print("{}\non {}, {} {} to use\n\n", to_text(call.problem, call.extents), engine.machine().cpu,
             engine.machine().cores, engine.machine().cores == 1 ? "core" : "cores");
  const std::size_t width = column_width(facts.choice.candidates, &Candidate::backend);
  for (const Candidate& candidate : facts.choice.candidates) {
    fmt::print("{:<1} {:<{}} {}\n", candidate.backend == facts.choice.backend ? "*" : "", candidate.backend, width,
               words_of(candidate));
  }
  fmt::print("\n");
  print_line("chosen", fmt::format("{}, {}{}{}", facts.choice.backend, name(facts.choice.isa),
                                   facts.choice.tiling.empty() ? "" : ", ", facts.choice.tiling));
  print_line("because", facts.choice.rule);
  print_line("plan", facts.plan);
  print_line("threads", std::to_string(facts.choice.threads));
  print_line("workspace", size(static_cast<double>(facts.workspace_bytes)));
  print_line("work", work(facts));
}

void print_json(const Engine& engine, const Description& call, const Explanation& facts) {
  nlohmann::ordered_json json{{"problem", to_text(call.problem, call.extents)},
                              {"cpu", engine.machine().cpu},
                              {"backend", facts.choice.backend},
                              {"isa", name(facts.choice.isa)},
                              {"threads", facts.choice.threads},
                              {"tiling", facts.choice.tiling},
                              {"rule", facts.choice.rule},
                              {"plan", facts.plan},
                              {"workspace_bytes", facts.workspace_bytes},
                              {"flops", facts.flops},
                              {"pairs", facts.pairs},
                              {"attended_pairs", facts.attended},
                              {"skipped_share", facts.skipped_share()},
                              {"candidates", nlohmann::ordered_json::array()}};
  for (const Candidate& candidate : facts.choice.candidates) json["candidates"].push_back(facts_of(candidate));
  json["measurements"] = nlohmann::ordered_json::array();
  for (const Measurement& m : facts.choice.measurements) json["measurements"].push_back(facts_of(m));
  json["note"] = engine.wisdom_note();
  fmt::print("{}\n", json_text(json));
}

void explain(const ExplainFlags& flags) {
  const Description call = describe(flags);
  const std::optional<int> threads = threads_of(flags);
  Engine engine;
  load_plugins(engine);
  // The engine's own number, as calls will have it: one where the library was built without oneTBB, whatever the cores.
  const Explanation facts = engine.explain(call.problem, call.extents,
                                           threads ? *threads : engine.executor().num_threads(), selection_of(flags));
  if (!engine.wisdom_note().empty()) fmt::print(stderr, "attune: {}\n", engine.wisdom_note());
  const auto report = flags.json ? print_json : print_text;
  report(engine, call, facts);
}

}  // namespace

void add_explain(CLI::App& program) {
  auto flags = std::make_shared<ExplainFlags>();
  CLI::App* command = program.add_subcommand("explain", "Say what would compute a problem, and why");
  declare(*command, *flags);
  command->get_option("--q")->required();
  command->get_option("--k")->required();
  command->add_flag("--json", flags->json, "Print the facts as JSON");
  command->footer(
      "Nothing is computed: estimates, measurements of earlier runs of attune tune, and the plan of the chosen\n"
      "backend. With ATTUNE_LOG=select any program that uses Attune tells its choices as they are made.\n\n"
      "Examples:\n"
      "  attune explain --q 1,12,512,64 --k 1,12,512,64 --causal\n"
      "  attune explain --q 1,32,1,128 --k 1,8,4096,128 --dtype bf16 --threads 2\n"
      "  attune explain --q 300,12,64 --k 300,12,64 --cu-seqlens-q 0,100,300 --cu-seqlens-k 0,100,300 --json");
  command->callback([flags] { explain(*flags); });
}

}  // namespace attune::tool
