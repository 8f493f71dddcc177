// What an ELF file says of itself, read without running any of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace attune::detail {

struct ElfSymbols {
  bool known = false;  // does the file have a table of sections to find its symbols by?
  std::vector<std::string> exported;
  std::vector<std::string> unique;  // of those, the STB_GNU_UNIQUE ones
};

/// A file that is open for reading. Every read is checked against its size.
class ElfFile {
 public:
  ElfFile(int descriptor, std::uint64_t size) noexcept : descriptor_(descriptor), size_(size) {}

  /// Why the dynamic linker should not be given this file; empty: it is a shared library for this machine, and every
  /// part that it would map lies inside the file (of one that is cut off it dies of SIGBUS).
  std::string complaint() const;

  /// Of a file without a complaint.
  ElfSymbols symbols() const;

 private:
  int descriptor_;
  std::uint64_t size_;
};

}  // namespace attune::detail
