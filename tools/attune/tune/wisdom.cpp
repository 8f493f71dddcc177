#include <ctime>
#include <memory>
#include <span>
#include <string>

#include <fmt/format.h>
#include <attune/engine.hpp>
#include <nlohmann/json.hpp>

#include "tools/attune/choice_report.hpp"
#include "tools/attune/io/pending_file.hpp"
#include "tools/attune/io/text_file.hpp"
#include "tools/attune/json_text.hpp"
#include "tools/attune/tune/report.hpp"
#include "tools/attune/tune/tune.hpp"
#include "tools/attune/units.hpp"

namespace attune::tool {
namespace {

std::string date(std::int64_t seconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if (gmtime_r(&time, &parts) == nullptr) return "?";
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

/// What is wrong with the file is told beside what there is.
void tell_note(const Engine& engine) {
  if (!engine.wisdom_note().empty()) fmt::print(stderr, "attune: {}\n", engine.wisdom_note());
}

void show(const Engine& engine) {
  const auto records = engine.wisdom();
  const std::string file = engine.wisdom_file().empty() ? "no file" : engine.wisdom_file();
  fmt::print("{} {} in {}\n", records.size(), records.size() == 1 ? "entry" : "entries", file);
  for (const WisdomRecord& record : records) {
    fmt::print("\nup to {}\n", record.problem);
    fmt::print("  of {} {}{}{}, {}\n", record.threads, record.threads == 1 ? "thread" : "threads",
               record.pinned.empty() ? "" : ", pinned: ", record.pinned, date(record.measured_at));
    const std::size_t width = backend_width(record.measurements);
    for (const Measurement& m : record.measurements) {
      if (m.samples == 0) continue;
      fmt::print("{} {:<{}} {:<12} {:>3} {:<12} {:>10} ± {:<8} {}\n", m.variant == record.winner ? "*" : " ",
                 m.variant.backend, width, name(m.variant.isa), m.variant.threads, m.variant.tiling,
                 duration(m.seconds), duration(m.spread), m.verdict);
    }
  }
}

void show_json(const Engine& engine) {
  nlohmann::ordered_json json{{"file", engine.wisdom_file()}, {"note", engine.wisdom_note()}};
  json["entries"] = nlohmann::ordered_json::array();
  for (const WisdomRecord& record : engine.wisdom()) {
    nlohmann::ordered_json one{{"problem", record.problem},
                               {"threads", record.threads},
                               {"pinned", record.pinned},
                               {"winner", facts_of(record.winner)},
                               {"measured_at", record.measured_at}};
    one["measurements"] = nlohmann::ordered_json::array();
    for (const Measurement& m : record.measurements) one["measurements"].push_back(facts_of(m));
    json["entries"].push_back(one);
  }
  fmt::print("{}\n", json_text(json));
}

void export_to(const Engine& engine, const std::string& path) {
  const std::string text = engine.export_wisdom();
  if (path == "-") {
    fmt::print("{}", text);
    return;
  }
  io::PendingFile file(path);
  file.write(std::as_bytes(std::span(text.data(), text.size())));
  file.finish();
  file.commit();
}

void import_from(Engine& engine, const std::string& path) {
  const std::string text = io::read_text(path, 16u << 20);
  const std::string note = engine.import_wisdom(text);
  if (!note.empty()) fmt::print(stderr, "attune: {}\n", note);
  fmt::print("{} entries in {}\n", engine.wisdom().size(), engine.wisdom_file());
}

}  // namespace

void add_wisdom(CLI::App& program) {
  CLI::App* command = program.add_subcommand("wisdom", "What attune tune has remembered of this machine");
  command->require_subcommand(1);
  command->footer(
      "Wisdom lies in a file for each machine, in $XDG_STATE_HOME/attune (~/.local/state/attune); ATTUNE_WISDOM names\n"
      "another file, and an empty one keeps none.\n\n"
      "Examples:\n  attune wisdom show\n  attune wisdom export wisdom.json\n  attune wisdom import wisdom.json");
  auto json = std::make_shared<bool>(false);
  CLI::App* shown = command->add_subcommand("show", "Print every entry");
  shown->add_flag("--json", *json, "Print the facts as JSON");
  shown->callback([json] {
    const Engine engine;
    tell_note(engine);
    const auto report = *json ? show_json : show;
    report(engine);
  });
  command->add_subcommand("clear", "Forget everything")->callback([] { Engine().clear_wisdom(); });
  auto target = std::make_shared<std::string>("-");
  CLI::App* exported = command->add_subcommand("export", "Write everything to a file");
  exported->add_option("FILE", *target, "Where to; -: standard output")->capture_default_str();
  exported->callback([target] {
    const Engine engine;
    tell_note(engine);
    export_to(engine, *target);
  });
  auto source = std::make_shared<std::string>();
  CLI::App* imported = command->add_subcommand("import", "Add what another file holds; what was measured later counts");
  imported->add_option("FILE", *source, "An exported file")->required();
  imported->callback([source] {
    Engine engine;
    import_from(engine, *source);
  });
}

}  // namespace attune::tool
