#include "tools/attune/plugin/check_json.hpp"

#include <fmt/format.h>
#include <attune/engine.hpp>

#include "tools/attune/io/pending_file.hpp"
#include "tools/attune/json_text.hpp"
#include "tools/attune/plugin/check_text.hpp"

namespace attune::tool {
namespace {

using conformance::Verdict;
using Json = nlohmann::ordered_json;

void write_file(const std::string& path, const std::string& text) {
  io::PendingFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.finish();
  file.commit();
}

}  // namespace

CheckJson::CheckJson(const CheckRequest& request) : request_(request) {
  facts_["version"] = version();
  facts_["file"] = request.file;
  facts_["passes"] = false;
  facts_["seed"] = request.settings.seed;
  facts_["tier"] = request.settings.tier == conformance::Tier::full ? "full" : "quick";
  facts_["filter"] = request.settings.filter;
}

void CheckJson::add(const LoadFinding& finding) {
  facts_["load"] = {{"verdict", name(finding.verdict)}, {"reason", finding.reason}, {"printed", finding.printed}};
  if (finding.verdict != Verdict::pass) return;
  facts_["plugin"] = {{"name", finding.facts.name},
                      {"description", finding.facts.description},
                      {"promises", names_of(finding.facts.traits)}};
}

void CheckJson::add(const std::vector<CheckVariant>& variants) {
  facts_["variants"] = Json::array();
  for (const CheckVariant& variant : variants) {
    Json facts{{"isa", name(variant.isa)}, {"tested", variant.hindrance.empty()}};
    if (!variant.hindrance.empty()) facts["reason"] = variant.hindrance;
    facts_["variants"].push_back(facts);
  }
}

void CheckJson::add(const CheckResult& result) {
  const auto& report = result.report;
  Json facts{{"isa", name(result.isa)}, {"case", report.name}, {"verdict", name(report.verdict)}};
  if (!report.message.empty()) facts["reason"] = report.message;
  facts["seconds"] = report.seconds;
  facts["share_of_tolerance"] = report.worst_share;
  if (is_caught(report.verdict)) {
    if (!report.printed.empty()) facts["printed"] = report.printed;
    facts["again"] = command_for(request_, result);
  }
  cases_.push_back(std::move(facts));
}

void CheckJson::write(const CheckTally& tally, const std::string& why_not) {
  facts_["passes"] = why_not.empty();
  if (!why_not.empty()) facts_["reason"] = why_not;
  for (const Verdict verdict : all_verdicts) facts_["counts"][name(verdict)] = tally.count(verdict);
  facts_["cases"] = std::move(cases_);
  const std::string text = json_text(facts_) + "\n";
  if (request_.json == "-") {
    fmt::print("{}", text);
  } else if (!request_.json.empty()) {
    write_file(request_.json, text);
  }
}

}  // namespace attune::tool
