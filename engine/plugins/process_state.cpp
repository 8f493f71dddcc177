#include "engine/plugins/process_state.hpp"

#include <unistd.h>

#include <clocale>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace attune::detail {
namespace {

std::string folder() {
  std::error_code error;
  return std::filesystem::current_path(error).string();
}

std::string locale() {
  const char* name = std::setlocale(LC_ALL, nullptr);
  return name != nullptr ? name : "";
}

/// It can only be read by setting it.
mode_t file_mode_mask() {
  const mode_t mask = umask(077);
  umask(mask);
  return mask;
}

bool same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_rdev == b.st_rdev && a.st_mode == b.st_mode;
}

/// A union of both kinds of handler: the longer one tells them all apart.
bool same(const struct sigaction& a, const struct sigaction& b) { return a.sa_sigaction == b.sa_sigaction; }

std::string name_of_signal(int number) {
  const char* const name = sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

}  // namespace

ProcessState::ProcessState() : folder_(folder()), locale_(locale()), umask_(file_mode_mask()) {
  for (int stream = 0; stream < streams; ++stream) fstat(stream, &streams_[static_cast<std::size_t>(stream)]);
  for (int number = 1; number < NSIG; ++number)
    sigaction(number, nullptr, &handlers_[static_cast<std::size_t>(number)]);
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked_);
}

std::string ProcessState::what_changed() const {
  const ProcessState now;
  if (now.folder_ != folder_) return "the working directory";
  if (now.locale_ != locale_) return "the locale";
  if (now.umask_ != umask_) return "the mask of file modes";
  for (std::size_t stream = 0; stream < streams; ++stream) {
    constexpr std::array<const char*, streams> names{"standard input", "standard output", "standard error"};
    if (!same(now.streams_[stream], streams_[stream])) return names[stream];
  }
  for (int number = 1; number < NSIG; ++number) {
    const auto at = static_cast<std::size_t>(number);
    if (!same(now.handlers_[at], handlers_[at])) return "what happens at " + name_of_signal(number);
    if (sigismember(&now.blocked_, number) != sigismember(&blocked_, number)) {
      return "whether " + name_of_signal(number) + " is blocked";
    }
  }
  return {};
}

std::string complaint_about_changes(const ProcessState& before) {
  const std::string what = before.what_changed();
  return what.empty() ? "" : "it changes " + what + " of the process that loads it, which is the host's alone to set";
}

}  // namespace attune::detail
