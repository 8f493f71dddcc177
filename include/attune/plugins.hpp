// Backends in shared libraries of their own, from the side of the program that loads them. How one is written is said
// in plugin.hpp.
//
// Before a file's code runs in this process, the file must not be writable by others, must be a whole shared library
// for this machine, and must have been taken through a small call by the probe, a program of Attune's that may crash or
// hang in its place. Its verdict is kept in the user's state folder until the file changes. What a plugin does after
// that, it does to this process: a crash in a later call is a crash of the program.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <attune/backend.hpp>
#include <attune/export.hpp>

namespace attune {

/// Where plugins are looked for, what is given first: `files`; the folders of ATTUNE_PLUGIN_PATH, separated by colons;
/// the user's data folder ($XDG_DATA_HOME/attune/plugins, else ~/.local/share/attune/plugins); attune/plugins beside
/// the library. In a folder every *.so counts, in alphabetical order. The working directory is never searched, and the
/// environment not at all by a program with more rights than its user.
struct PluginSearch {
  std::vector<std::string> files{};               // loaded first, and probed whatever is known of them
  bool folders = true;                            // search the folders as well
  std::chrono::milliseconds probe_limit{10'000};  // what the probe may take for a file
};

enum class PluginState {
  loaded,
  refused,      // it cannot be used; the reason says what would do
  quarantined,  // the probe crashed, or ran out of time twice: not tried again until the file changes
};

/// "loaded", "refused", "quarantined"
constexpr const char* name(PluginState state) noexcept {
  switch (state) {
    case PluginState::loaded:
      return "loaded";
    case PluginState::refused:
      return "refused";
    case PluginState::quarantined:
      return "quarantined";
  }
  return "unknown";
}

/// What became of one file.
struct PluginFile {
  std::string path;
  std::string origin;  // why it was tried: "given", or the kind of folder
  PluginState state = PluginState::refused;
  std::string backend;  // the backend's name, if loaded
  std::string reason;   // why not, if not loaded; otherwise what is remarkable, often nothing
};

/// A folder that was looked at.
struct PluginFolder {
  std::string path;
  std::string origin;     // "ATTUNE_PLUGIN_PATH", "user", "system"
  std::string hindrance;  // why it was not searched, for example that it does not exist; empty: it was
};

struct PluginReport {
  std::vector<PluginFile> files;      // in the order in which they were tried
  std::vector<PluginFolder> folders;  // likewise
  std::vector<std::string> notes;     // what else went wrong, for example that verdicts could not be kept
};

/// What a file says of itself, read without running any of it.
struct PluginInspection {
  std::string complaint;       // why it is not loaded as it is: not trusted, no library, not whole; empty: nothing
  bool symbols_known = false;  // has it a table of sections to find its symbols by?
  std::vector<std::string> exported;  // the symbols it defines for others
  std::vector<std::string> unique;    // those of them that the linker merges across all libraries of a process
};
ATTUNE_API PluginInspection inspect_plugin(const std::string& path);

/// Loads one file into this process for good, without a probe: what it does while it is loaded, it does to the caller.
/// For processes of one thread that may die, as those are in which `attune plugin check` runs its cases. Throws
/// Error(invalid_argument) saying why it cannot be used.
ATTUNE_API std::shared_ptr<const Backend> open_plugin(const std::string& path);

/// Forgets the verdicts of the probe on this file, or on all (empty); answers on how many. Throws Error(io) where the
/// verdicts cannot be written.
ATTUNE_API std::size_t forget_plugin_verdicts(const std::string& path = "");

/// Where verdicts are kept; empty where the user has no state folder.
ATTUNE_API std::string plugin_verdicts_file();

}  // namespace attune
