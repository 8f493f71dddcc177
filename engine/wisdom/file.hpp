// The file that holds a machine's wisdom, shared by every process that uses it.
#pragma once

#include <optional>
#include <string>

#include "engine/wisdom/json.hpp"
#include "engine/wisdom/table.hpp"

namespace attune::detail {

/// What reading or writing gave. A note says in one line what kept it from more; it is never a failure.
struct WisdomReading {
  WisdomEntries entries;
  std::string note;
};

struct WisdomWriting {
  bool saved = false;
  WisdomEntries entries;  // if saved: all that the file holds now
  std::string note;
};

class WisdomFile {
 public:
  /// `path` empty: there is none; nothing is read, and writing is told as not saved.
  WisdomFile(std::string path, const MachineDescription& machine);

  /// In the user's state folder ($XDG_STATE_HOME/attune, or ~/.local/state/attune); empty where there is none.
  static std::string default_path(const MachineDescription& machine);

  const std::string& path() const noexcept { return path_; }

  /// What is there. No file is no wisdom, without a note; what is not readable is none, with one.
  WisdomReading read() const;

  /// Adds entries, under the lock of a sibling file: reads again, merges, writes a temporary file and renames it, so
  /// that several processes lose nothing and a reader sees the old file or the new one. A damaged file is moved aside
  /// (PATH.damaged); one of another machine or version is left alone.
  WisdomWriting add(const WisdomEntries& entries) const;

  /// Removes the file, whatever it holds, under the same lock. Answers what went wrong; empty: nothing.
  std::string clear() const;

 private:
  std::string path_;
  MachineDescription machine_;
};

/// The text of a file of at most so many bytes. Throws Error(io) naming the file where it cannot be read, is larger
/// or is no regular file; nothing where there is none.
std::optional<std::string> read_small_file(const std::string& path, std::size_t most_bytes);

}  // namespace attune::detail
