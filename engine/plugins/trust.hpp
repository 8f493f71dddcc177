// Which files this process believes.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace attune::detail {

/// Why what the user or root has not written alone is not to be used; empty: it is. `what` names it: "the file".
std::string distrust(const struct stat& facts, const char* what);

/// A regular file, open for reading.
class OpenFile {
 public:
  /// Follows links; complaint() says what went wrong.
  explicit OpenFile(const std::string& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  /// Why it cannot be read or is not to be trusted: others may write it or put another in its place.
  const std::string& complaint() const noexcept { return complaint_; }
  const std::string& path() const noexcept { return path_; }  // without links, if it exists
  int descriptor() const noexcept { return descriptor_; }
  const struct stat& facts() const noexcept { return facts_; }
  std::uint64_t size() const noexcept { return static_cast<std::uint64_t>(facts_.st_size); }

 private:
  std::string open(const std::string& path);

  std::string path_;
  int descriptor_ = -1;
  struct stat facts_{};
  std::string complaint_;
};

}  // namespace attune::detail
