#include "tools/attune/backends.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <attune/engine.hpp>
#include <nlohmann/json.hpp>

#include "tools/attune/columns.hpp"
#include "tools/attune/json_text.hpp"
#include "tools/attune/plugin/facts.hpp"
#include "tools/attune/plugin/load.hpp"

namespace attune::tool {
namespace {

/// A backend's kernels for one instruction set.
struct Variant {
  Isa isa = Isa::generic;
  std::string hindrance;  // why it cannot be used here; empty: it can
  bool chosen = false;    // used when nobody asks for another
};

bool contains(const std::vector<Isa>& isas, Isa isa) { return std::find(isas.begin(), isas.end(), isa) != isas.end(); }

std::vector<Variant> variants_of(const Backend& backend, const Machine& machine) {
  const std::vector<Isa> isas = backend.instruction_sets();
  if (isas.empty()) return {{Isa::generic, "", true}};
  std::vector<Variant> variants;
  for (const Isa isa : isas) {
    variants.push_back({isa, contains(machine.isas, isa) ? "" : "this CPU lacks the instructions", false});
  }
  const auto usable = [](const Variant& variant) { return variant.hindrance.empty(); };
  const auto wanted = std::find_if(variants.begin(), variants.end(), [&](const Variant& variant) {
    return usable(variant) && variant.isa == machine.isa;
  });
  const auto strongest = std::find_if(variants.rbegin(), variants.rend(), usable);
  if (wanted != variants.end()) {
    wanted->chosen = true;
  } else if (strongest != variants.rend()) {
    strongest->chosen = true;
  }
  return variants;
}

std::string state_of(const Variant& variant) {
  if (!variant.hindrance.empty()) return "no: " + variant.hindrance;
  return variant.chosen ? "yes, the default" : "yes";
}

void print_table(const Engine& engine) {
  const Machine& machine = engine.machine();
  fmt::print("{}, {} {} to use\n\n", machine.cpu, machine.cores, machine.cores == 1 ? "core" : "cores");
  constexpr const char* row = "{:<{}} {:<12} {:<8} {}\n";
  const std::size_t width = column_width(engine.backends(), &Backend::name);
  fmt::print(fmt::runtime(row), "BACKEND", width, "VARIANT", "THREADS", "AVAILABLE HERE");
  for (const auto& backend : engine.backends()) {
    for (const Variant& variant : variants_of(*backend, machine)) {
      fmt::print(fmt::runtime(row), backend->name(), width, name(variant.isa), backend->parallel() ? "many" : "one",
                 state_of(variant));
    }
  }
  fmt::print("\n");
  for (const auto& backend : engine.backends())
    fmt::print("{:<{}} {}\n", backend->name(), width, backend->description());
  if (!engine.plugins().empty()) fmt::print("\nPlugins:\n");
  print_plugins(engine.plugins());
}

nlohmann::ordered_json facts_of(const Variant& variant) {
  nlohmann::ordered_json facts{{"isa", name(variant.isa)}, {"available", variant.hindrance.empty()}};
  if (!variant.hindrance.empty()) facts["reason"] = variant.hindrance;
  facts["default"] = variant.chosen;
  return facts;
}

nlohmann::ordered_json facts_of(const Backend& backend, const Machine& machine) {
  nlohmann::ordered_json facts{{"name", std::string(backend.name())},
                               {"description", std::string(backend.description())},
                               {"parallel", backend.parallel()},
                               {"variants", nlohmann::ordered_json::array()}};
  for (const Variant& variant : variants_of(backend, machine)) facts["variants"].push_back(facts_of(variant));
  return facts;
}

nlohmann::ordered_json facts_of(const Machine& machine) {
  nlohmann::ordered_json facts{{"cpu", machine.cpu},
                               {"cores", machine.cores},
                               {"isas", nlohmann::ordered_json::array()},
                               {"isa", name(machine.isa)}};
  for (const Isa isa : machine.isas) facts["isas"].push_back(name(isa));
  return facts;
}

void print_json(const Engine& engine) {
  nlohmann::ordered_json facts{
      {"version", version()}, {"machine", facts_of(engine.machine())}, {"backends", nlohmann::ordered_json::array()}};
  for (const auto& backend : engine.backends()) facts["backends"].push_back(facts_of(*backend, engine.machine()));
  facts["plugins"] = tool::facts_of(engine.plugins());
  fmt::print("{}\n", json_text(facts));
}

}  // namespace

void add_backends(CLI::App& program) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command =
      program.add_subcommand("backends", "List the backends, plugins too, and what of them works on this machine");
  command->add_flag("--json", *json, "Print the facts as JSON");
  command->footer(
      "A variant is a backend's kernels for one instruction set. `attune run --backend NAME --isa VARIANT` and the\n"
      "environment variables ATTUNE_BACKEND and ATTUNE_ISA force one.\n\n"
      "Examples:\n  attune backends\n  attune backends --json");
  command->callback([json] {
    const auto report = *json ? print_json : print_table;
    Engine engine;
    load_plugins(engine);
    report(engine);
  });
}

}  // namespace attune::tool
