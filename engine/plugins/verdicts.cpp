// One line of text for each file, seven fields between tabs. Changed under a lock of its own file, by writing a new
// file and renaming it: several processes lose nothing, and a reader sees the old or the new.
#include "engine/plugins/verdicts.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>

#include <attune/engine.hpp>

#include "engine/plugins/trust.hpp"

namespace attune::detail {
namespace {

constexpr std::size_t most_verdicts = 1000;  // the oldest leave
constexpr std::size_t fields = 8;
constexpr std::array<std::string_view, 4> judgements{"good", "refused", "quarantined", "slow"};

/// Without tabs and line ends, which part fields and verdicts.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\t')
      result += "\\t";
    else if (c == '\n')
      result += "\\n";
    else if (c == '\\')
      result += "\\\\";
    else
      result += c;
  }
  return result;
}

std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    const char c = text[++i];
    result += c == 't' ? '\t' : c == 'n' ? '\n' : c;
  }
  return result;
}

template <typename Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string why_not(const std::string& what) { return what + ": " + std::generic_category().message(errno); }

/// Held until it goes; not had within a second, it is not waited for any longer.
class Lock {
 public:
  explicit Lock(const std::string& path)
      : descriptor_(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) return;
    for (int attempt = 0; attempt < 100 && !held_; ++attempt) {
      held_ = flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
      if (!held_) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ~Lock() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  bool held() const noexcept { return held_; }

 private:
  int descriptor_;
  bool held_ = false;
};

std::string write_new(const std::string& path, const std::vector<Verdict>& verdicts) {
  const std::string temporary = path + "." + std::to_string(getpid());
  unlink(temporary.c_str());  // of a process of this number that was killed; or a link to what is not ours to write
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return why_not(temporary);
  std::string text;
  for (const Verdict& verdict : verdicts) text += to_line(verdict) + "\n";
  const bool written = write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       fsync(descriptor) == 0 && rename(temporary.c_str(), path.c_str()) == 0;
  const std::string error = written ? "" : why_not(path);
  close(descriptor);
  if (!written) unlink(temporary.c_str());
  return error;
}

}  // namespace

FileIdentity FileIdentity::of(const std::string& path, const struct stat& facts) {
  return {.path = path,
          .device = facts.st_dev,
          .inode = facts.st_ino,
          .size = static_cast<std::uint64_t>(facts.st_size),
          .mtime_ns = std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec,
          .library_version = version()};
}

std::string to_line(const Verdict& verdict) {
  const FileIdentity& file = verdict.file;
  return std::string(judgements[static_cast<std::size_t>(verdict.judgement)]) + "\t" + std::to_string(file.device) +
         "\t" + std::to_string(file.inode) + "\t" + std::to_string(file.size) + "\t" + std::to_string(file.mtime_ns) +
         "\t" + escaped(file.library_version) + "\t" + escaped(file.path) + "\t" + escaped(verdict.text);
}

std::optional<Verdict> from_line(std::string_view line) {
  std::array<std::string_view, fields> field;
  for (std::size_t i = 0; i < fields; ++i) {
    const std::size_t end = i + 1 < fields ? line.find('\t') : line.size();
    if (end == line.npos) return std::nullopt;
    field[i] = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  const auto judgement = std::find(judgements.begin(), judgements.end(), field[0]);
  Verdict verdict;
  FileIdentity& file = verdict.file;
  if (judgement == judgements.end() || !parse(field[1], file.device) || !parse(field[2], file.inode) ||
      !parse(field[3], file.size) || !parse(field[4], file.mtime_ns)) {
    return std::nullopt;
  }
  verdict.judgement = static_cast<Judgement>(judgement - judgements.begin());
  file.library_version = unescaped(field[5]);
  file.path = unescaped(field[6]);
  verdict.text = unescaped(field[7]);
  return verdict;
}

std::string VerdictFile::default_path() {
  const char* state = secure_getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return std::string(state) + "/attune/plugin-verdicts";
  const char* home = secure_getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.local/state/attune/plugin-verdicts";
  return {};
}

std::vector<Verdict> VerdictFile::read() const {
  std::vector<Verdict> verdicts;
  if (path_.empty() || !OpenFile(path_).complaint().empty()) return verdicts;
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    if (auto verdict = from_line(line)) verdicts.push_back(std::move(*verdict));
  }
  return verdicts;
}

std::optional<Verdict> VerdictFile::find(const FileIdentity& file) const {
  for (Verdict& verdict : read()) {
    if (verdict.file == file) return std::move(verdict);
  }
  return std::nullopt;
}

template <typename Change>
std::string VerdictFile::update(Change change) const {
  if (path_.empty()) return "neither XDG_STATE_HOME nor HOME tells where to keep verdicts";
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  std::filesystem::create_directories(folder, error);
  if (error) return folder.string() + ": " + error.message();
  const Lock lock(path_ + ".lock");
  if (!lock.held()) return path_ + ".lock: not to be had";
  std::vector<Verdict> verdicts = read();
  change(verdicts);
  if (verdicts.size() > most_verdicts) {
    verdicts.erase(verdicts.begin(), verdicts.end() - static_cast<std::ptrdiff_t>(most_verdicts));
  }
  return write_new(path_, verdicts);
}

std::string VerdictFile::keep(const Verdict& verdict) const {
  return update([&](std::vector<Verdict>& verdicts) {
    std::erase_if(verdicts, [&](const Verdict& known) { return known.file.path == verdict.file.path; });
    verdicts.push_back(verdict);
  });
}

std::string VerdictFile::forget(const std::string& path, std::size_t& forgotten) const {
  forgotten = 0;
  if (read().empty()) return {};
  return update([&](std::vector<Verdict>& verdicts) {
    forgotten = std::erase_if(verdicts, [&](const Verdict& known) { return path.empty() || known.file.path == path; });
  });
}

}  // namespace attune::detail
