#include "tools/attune/plugin/load.hpp"

#include <fcntl.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <cstdio>

namespace attune::tool {
namespace {

/// While it lives, standard output leads where standard error does.
class StandardOutputAside {
 public:
  StandardOutputAside() {
    std::fflush(stdout);
    had_failed_ = std::ferror(stdout) != 0;
    kept_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    if (kept_ >= 0) dup2(STDERR_FILENO, STDOUT_FILENO);
  }
  ~StandardOutputAside() {
    if (kept_ < 0) return;
    if (std::fflush(stdout) != 0) __fpurge(stdout);
    if (!had_failed_) std::clearerr(stdout);  // what could not be told was none of the program's
    dup2(kept_, STDOUT_FILENO);
    close(kept_);
  }
  StandardOutputAside(const StandardOutputAside&) = delete;
  StandardOutputAside& operator=(const StandardOutputAside&) = delete;

 private:
  int kept_ = -1;
  bool had_failed_ = false;
};

}  // namespace

PluginReport load_plugins(Engine& engine, const PluginSearch& search) {
  const StandardOutputAside aside;
  return engine.load_plugins(search);
}

}  // namespace attune::tool
