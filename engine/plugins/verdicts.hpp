// What the probe found out about files, kept from run to run in the user's state folder.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace attune::detail {

/// A file as it was when it was probed: after any change to it, or to the library, the verdict counts no more.
struct FileIdentity {
  std::string path;
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t mtime_ns = 0;
  std::string library_version;

  static FileIdentity of(const std::string& path, const struct stat& facts);
  bool operator==(const FileIdentity&) const = default;
};

enum class Judgement { good, refused, quarantined, slow };  // slow: ran out of time once; twice is quarantine

struct Verdict {
  FileIdentity file;
  Judgement judgement = Judgement::good;
  std::string text;  // the reason, or of a good one what is remarkable
};

/// A line of the file, and back; nothing for a line that is none.
std::string to_line(const Verdict& verdict);
std::optional<Verdict> from_line(std::string_view line);

/// The verdicts on disk. Whatever cannot be read or is not to be trusted is as if it were not there.
class VerdictFile {
 public:
  /// `path` empty: there is none.
  explicit VerdictFile(std::string path) : path_(std::move(path)) {}

  /// In the user's state folder; empty where there is none.
  static std::string default_path();

  std::vector<Verdict> read() const;
  std::optional<Verdict> find(const FileIdentity& file) const;

  /// Replaces what was known of this path. Answers what went wrong; empty: nothing.
  std::string keep(const Verdict& verdict) const;
  /// Forgets what is known of the path, or all (empty). Answers what went wrong.
  std::string forget(const std::string& path, std::size_t& forgotten) const;

 private:
  template <typename Change>
  std::string update(Change change) const;

  std::string path_;
};

}  // namespace attune::detail
