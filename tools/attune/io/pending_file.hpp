// A file that appears under its name whole or not at all.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <attune/error.hpp>

namespace attune::io {

/// What goes wrong while writing: told apart from what is wrong with an input.
class WriteError final : public Error {
 public:
  explicit WriteError(const std::string& message) : Error(ErrorCode::io, message) {}
};

/// A temporary file beside `path`. Without commit() it disappears with this object.
class PendingFile {
 public:
  /// Throws WriteError where no file can be made.
  explicit PendingFile(const std::string& path);
  ~PendingFile();
  PendingFile(PendingFile&& other) noexcept;
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  void write(std::span<const std::byte> bytes);
  /// Hands everything to the disk: what can fail for lack of space has then failed.
  void finish();
  /// Moves the finished file to its name, over a file that was there.
  void commit();

 private:
  [[noreturn]] void fail(int error) const;

  std::string path_;         // as the user wrote it, for messages
  std::string destination_;  // behind symbolic links
  std::string temporary_;    // empty: nothing to clean up
  int descriptor_ = -1;
};

/// Could a file be made there? Throws WriteError for a directory that is missing or may not be written to, and
/// for a name that something other than a regular file has.
void check_destination(const std::string& path);

}  // namespace attune::io
