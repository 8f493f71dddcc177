// What belongs to a process as a whole, and is the host's to set.
#pragma once

#include <sys/stat.h>

#include <array>
#include <csignal>
#include <string>

namespace attune::detail {

/// The state of this process when it was made. Only of use while one thread sets any of it.
class ProcessState {
 public:
  ProcessState();

  /// What has changed since, as the end of "it changes …"; empty: nothing.
  std::string what_changed() const;

 private:
  static constexpr int streams = 3;

  std::string folder_, locale_;
  mode_t umask_;
  std::array<struct stat, streams> streams_{};
  std::array<struct sigaction, NSIG> handlers_{};
  sigset_t blocked_{};
};

/// What is wrong with a plugin that was loaded since; empty: nothing.
std::string complaint_about_changes(const ProcessState& before);

}  // namespace attune::detail
