#include "tools/attune/plugin/check_load.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>

#include <fmt/format.h>
#include <attune/engine.hpp>
#include <attune/plugins.hpp>
#include <nlohmann/json.hpp>

#include "tools/attune/json_text.hpp"

namespace attune::tool {
namespace {

using conformance::Verdict;
using Json = nlohmann::ordered_json;

/// Why a file whose code would mix with that of others is not to be used; empty: it does not.
std::string complaint_about_unique(const PluginInspection& inspection) {
  if (inspection.unique.empty()) return {};
  return fmt::format(
      "it exports {} STB_GNU_UNIQUE symbols, for example {}: the dynamic linker merges them with those of the same "
      "name "
      "in every other library of the process, whatever the linker is told. Compile with -fno-gnu-unique and export "
      "attune_plugin_query alone (attune_add_plugin() of find_package(attune) does both)",
      inspection.unique.size(), inspection.unique.front());
}

/// What can be said without running any of it.
std::string complaint_about(const std::string& file) {
  const PluginInspection inspection = inspect_plugin(file);
  return inspection.complaint.empty() ? complaint_about_unique(inspection) : inspection.complaint;
}

/// What the child sends home.
std::string facts_or_reason(const std::string& file) try {
  const auto backend = load_here(file);
  Engine(Engine::Config{}).add(backend);  // throws where a built-in has its name
  Json facts{{"name", std::string(backend->name())},
             {"description", std::string(backend->description())},
             {"isas", Json::array()},
             {"traits", backend->traits().bits()}};
  for (const Isa isa : backend->instruction_sets()) facts["isas"].push_back(static_cast<int>(isa));
  return json_text(facts);
} catch (const Error& error) {  // every other exception has crossed the border: let it end the child
  return json_text(Json{{"reason", error.what()}});
}

PluginFacts facts_of(const Json& sent) {
  PluginFacts facts{sent["name"], sent["description"], {}, TraitSet::from_bits(sent["traits"])};
  for (const Json& isa : sent["isas"]) facts.isas.push_back(static_cast<Isa>(isa.get<int>()));
  return facts;
}

test::Ending in_a_child(const std::function<std::string()>& work, const test::ChildLimits& limits) {
  test::Ending result;
  test::run_in_children(
      1, [&](std::size_t) { return work(); }, limits,
      [&](std::size_t, const test::Ending& ending) {
        result = ending;
        return true;
      });
  return result;
}

/// Of a child that did not answer.
LoadFinding finding_of(const test::Ending& ending, const std::string& when) {
  const Verdict verdict = ending.kind == test::Ending::Kind::timed_out ? Verdict::timeout : Verdict::crash;
  return {verdict, ending.reason + when, ending.printed, {}};
}

/// Loads the file in a process that has nothing else to do and ends, as a program of a user's will; ends likewise.
std::string leave_with(const std::string& file) {
  const pid_t process = fork();
  if (process == 0) {
    load_here(file);
    std::exit(0);
  }
  int status = 0;
  waitpid(process, &status, 0);
  if (WIFSIGNALED(status)) raise(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) _exit(WEXITSTATUS(status));
  return {};
}

}  // namespace

std::shared_ptr<const Backend> load_here(const std::string& file) { return open_plugin(file); }

LoadFinding examine(const CheckRequest& request) {
  if (const std::string why = complaint_about(request.file); !why.empty()) return {Verdict::fail, why, {}, {}};
  const auto loaded = in_a_child([&] { return facts_or_reason(request.file); }, request.limits);
  if (loaded.kind != test::Ending::Kind::answered) return finding_of(loaded, "");
  const Json sent = Json::parse(loaded.answer);
  if (sent.contains("reason")) return {Verdict::fail, sent["reason"], loaded.printed, {}};
  const auto left = in_a_child([&] { return leave_with(request.file); }, request.limits);
  if (left.kind != test::Ending::Kind::answered)
    return finding_of(left, ", at the end of a process that had loaded it");
  return {Verdict::pass, {}, loaded.printed, facts_of(sent)};
}

}  // namespace attune::tool
