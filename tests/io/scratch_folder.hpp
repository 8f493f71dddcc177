// A folder of a test's own, gone when the test is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace attune::test {

class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }
  /// Writes a file and returns its path.
  std::string file(std::string_view name, std::string_view contents) const;
  /// The names in it, hidden ones included, in alphabetical order.
  std::vector<std::string> names() const;

 private:
  std::string folder_;
};

std::string contents_of(const std::string& path);

}  // namespace attune::test
