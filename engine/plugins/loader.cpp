#include "engine/plugins/loader.hpp"

#include <algorithm>
#include <exception>

#include <attune/error.hpp>

#include "engine/plugins/adapter.hpp"
#include "engine/plugins/elf_file.hpp"
#include "engine/plugins/library.hpp"
#include "engine/plugins/probe.hpp"
#include "engine/plugins/process_state.hpp"
#include "engine/plugins/search.hpp"
#include "engine/plugins/trust.hpp"

namespace attune::detail {
namespace {

using Kind = ProbeResult::Kind;

PluginFile refused(PluginFile file, const std::string& reason) {
  file.state = PluginState::refused;
  file.reason = reason;
  return file;
}

/// What a result means for this file, given what was known of it: out of time twice is quarantine.
Verdict judge(const FileIdentity& file, const ProbeResult& result, const std::optional<Verdict>& known) {
  Verdict verdict{file, Judgement::good, result.text};
  const bool was_slow = known && (known->judgement == Judgement::slow || known->judgement == Judgement::quarantined);
  if (result.kind == Kind::refused) verdict.judgement = Judgement::refused;
  if (result.kind == Kind::crashed) verdict.judgement = Judgement::quarantined;
  if (result.kind == Kind::timed_out) verdict.judgement = was_slow ? Judgement::quarantined : Judgement::slow;
  return verdict;
}

/// A plugin that was built again is another one to what was measured of it.
std::string version_of(const FileIdentity& file) {
  return std::to_string(file.size) + " bytes of " + std::to_string(file.mtime_ns);
}

}  // namespace

/// What all files of one search have in common.
struct Loader::Attempt {
  const PluginSearch& search;
  const Machine& machine;
  const Add& add;
  VerdictFile verdicts;
  std::string probe;         // empty: there is none
  std::string probe_reason;  // then why
  PluginReport& report;

  /// The verdict on a file that ElfFile found whole: what is known, else what the probe finds. Nothing where it cannot
  /// be tried; then the reason is set.
  std::optional<Verdict> judge_file(const FileIdentity& file, bool given, std::string& reason) const {
    const std::optional<Verdict> known = verdicts.find(file);
    if (known && !given && known->judgement != Judgement::slow) return known;
    if (probe.empty()) {
      reason = "it cannot be tried, because there is no probe program: " + probe_reason;
      return std::nullopt;
    }
    const ProbeResult result = detail::probe(probe, file.path, machine, search.probe_limit);
    if (result.kind == Kind::untried) {
      reason = "it cannot be tried: " + result.text;
      return std::nullopt;
    }
    const Verdict verdict = judge(file, result, known);
    if (const std::string error = verdicts.keep(verdict); !error.empty()) {
      report.notes.push_back("the verdict on " + file.path + " is not kept: " + error);
    }
    return verdict;
  }
};

PluginFile Loader::load_file(const std::string& path, const std::string& origin, const Attempt& attempt) {
  const OpenFile open(path);
  PluginFile file{open.path(), origin, PluginState::refused, "", ""};
  if (!open.complaint().empty()) return refused(file, open.complaint());
  const FileIdentity identity = FileIdentity::of(open.path(), open.facts());
  const auto same =
      std::find_if(loaded_.begin(), loaded_.end(), [&](const Loaded& known) { return known.identity == identity; });
  if (same != loaded_.end()) return same->file;
  if (const std::string why = ElfFile(open.descriptor(), open.size()).complaint(); !why.empty())
    return refused(file, why);

  std::string reason;
  const auto verdict = attempt.judge_file(identity, origin == "given", reason);
  if (!verdict) return refused(file, reason);
  if (verdict->judgement != Judgement::good) {
    file = refused(file, verdict->text);
    if (verdict->judgement == Judgement::quarantined) file.state = PluginState::quarantined;
    return file;
  }
  const auto plugin = open_plugin(open.path(), reason);
  if (plugin == nullptr) return refused(file, reason);
  if (const std::string why = attempt.add(adapt(plugin, version_of(identity))); !why.empty()) return refused(file, why);
  file.state = PluginState::loaded;
  file.backend = plugin->name;
  file.reason = verdict->text;
  loaded_.push_back({identity, file});
  return file;
}

void Loader::remember(const PluginFile& file) {
  const auto known =
      std::find_if(files_.begin(), files_.end(), [&](const PluginFile& f) { return f.path == file.path; });
  if (known == files_.end()) {
    files_.push_back(file);
  } else {
    *known = file;
  }
}

PluginReport Loader::load(const PluginSearch& search, const Machine& machine, const Add& add) {
  PluginReport report;
  Attempt attempt{search, machine, add, VerdictFile(VerdictFile::default_path()), "", "", report};
  attempt.probe = find_probe(attempt.probe_reason);
  std::vector<FoundFile> found;
  for (const std::string& path : search.files) found.push_back({path, "given"});
  if (search.folders) {
    for (PluginFolder& folder : report.folders = plugin_folders()) {
      const std::vector<FoundFile> inside = plugins_in(folder);
      found.insert(found.end(), inside.begin(), inside.end());
    }
  }
  for (const FoundFile& candidate : found) {
    report.files.push_back(load_file(candidate.path, candidate.origin, attempt));
    remember(report.files.back());
  }
  return report;
}

}  // namespace attune::detail

namespace attune {

PluginInspection inspect_plugin(const std::string& path) {
  const detail::OpenFile file(path);
  PluginInspection inspection{file.complaint(), false, {}, {}};
  if (file.descriptor() < 0) return inspection;
  const detail::ElfFile elf(file.descriptor(), file.size());
  const std::string complaint = elf.complaint();
  if (inspection.complaint.empty()) inspection.complaint = complaint;
  detail::ElfSymbols symbols = elf.symbols();
  inspection.symbols_known = symbols.known;
  inspection.exported = std::move(symbols.exported);
  inspection.unique = std::move(symbols.unique);
  return inspection;
}

std::shared_ptr<const Backend> open_plugin(const std::string& path) {
  const detail::OpenFile file(path);
  std::string reason = file.complaint();
  if (reason.empty()) reason = detail::ElfFile(file.descriptor(), file.size()).complaint();
  const detail::ProcessState before;
  const auto plugin = reason.empty() ? detail::open_plugin(file.path(), reason) : nullptr;
  if (plugin != nullptr) reason = detail::complaint_about_changes(before);
  if (!reason.empty()) throw Error(ErrorCode::invalid_argument, reason);
  return detail::adapt(plugin);
}

std::string plugin_verdicts_file() { return detail::VerdictFile::default_path(); }

std::size_t forget_plugin_verdicts(const std::string& path) {
  std::size_t forgotten = 0;
  const detail::VerdictFile file(detail::VerdictFile::default_path());
  if (const std::string error = file.forget(path, forgotten); !error.empty()) {
    throw Error(ErrorCode::io, "the verdicts on plugins cannot be changed: " + error);
  }
  return forgotten;
}

}  // namespace attune
