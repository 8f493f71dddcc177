// What an engine knows of measurements: the table that calls look into, and the file behind it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/wisdom/file.hpp"
#include "engine/wisdom/table.hpp"

namespace attune::detail {

/// Thread-safe.
class Wisdom {
 public:
  /// Reads the file; see WisdomFile. What is wrong with it is a note.
  Wisdom(const std::string& path, const MachineDescription& machine);

  std::shared_ptr<const WisdomTable> table() const;

  /// Later lookups find the entries; they are written to the file together with what could not be written before.
  /// Answers what kept them from it; empty: nothing.
  std::string learn(const WisdomEntries& entries);

  /// Forgets everything, in memory and on disk. Answers what went wrong.
  std::string clear();

  std::string exported() const;
  /// Learns the entries of an exported text. Throws Error(invalid_argument) saying what is wrong with it.
  std::string import(std::string_view text);

  const std::string& path() const noexcept { return file_.path(); }
  std::string note() const;

 private:
  void replace_table(WisdomEntries entries);
  void set_note(std::string note);

  const WisdomFile file_;
  const MachineDescription machine_;
  std::mutex change_mutex_;  // of whoever changes something, for as long as the file takes: calls do not wait for it
  WisdomEntries unsaved_;
  mutable std::mutex mutex_;  // of what follows
  std::shared_ptr<const WisdomTable> table_ = std::make_shared<const WisdomTable>();
  std::string note_;  // of reading the file
};

}  // namespace attune::detail
