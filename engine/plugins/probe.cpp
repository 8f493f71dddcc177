#include "engine/plugins/probe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include <attune/plugin_structs.hpp>

#include "engine/plugins/places.hpp"
#include "engine/plugins/query.hpp"
#include "engine/plugins/trust.hpp"

extern char** environ;

namespace attune::detail {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = ProbeResult::Kind;

constexpr int verdict_descriptor = 3;  // of the probe: see probe/main.cpp
constexpr std::size_t longest_answer = 4096;

/// Both ends of a pipe, closed when they go. In a host whose standard streams are closed they would get those numbers,
/// which mean something else to the child: they are moved out of its way.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_, O_CLOEXEC) != 0) return;
    for (int& end : ends_) {
      if (end <= verdict_descriptor) close(std::exchange(end, fcntl(end, F_DUPFD_CLOEXEC, verdict_descriptor + 1)));
    }
  }
  ~Pipe() {
    for (int& end : ends_) close_end(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool is_open() const noexcept { return ends_[0] >= 0 && ends_[1] >= 0; }
  int read_end() const noexcept { return ends_[0]; }
  int write_end() const noexcept { return ends_[1]; }
  void close_write_end() noexcept { close_end(ends_[1]); }

 private:
  static void close_end(int& end) noexcept {
    if (end >= 0) close(end);
    end = -1;
  }
  int ends_[2] = {-1, -1};
};

/// How the probe starts: silent, in a process group of its own, without the host's signal mask and open files.
class SpawnSettings {
 public:
  explicit SpawnSettings(int verdict_pipe) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      posix_spawn_file_actions_addopen(&actions_, stream, "/dev/null", O_RDWR, 0);
    }
    posix_spawn_file_actions_adddup2(&actions_, verdict_pipe, verdict_descriptor);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&actions_, verdict_descriptor + 1);
#endif
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  /// The process, or −1 with errno set.
  pid_t spawn(std::array<std::string, 4> words) const {
    std::array<char*, 5> arguments{words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    pid_t child = -1;
    errno = posix_spawn(&child, words[0].c_str(), &actions_, &attributes_, arguments.data(), environ);
    return errno == 0 ? child : -1;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

/// Whether a line that begins with a verdict has come: "good …", "refused …".
bool holds_verdict(const std::string& answer) {
  return answer.find("\ngood") != answer.npos || answer.find("\nrefused") != answer.npos;
}

/// Without taking note of it: until that, its number is nobody else's.
bool has_ended(pid_t child) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == child;
}

bool ends_until(pid_t child, Clock::time_point end) {
  while (!has_ended(child)) {
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

enum class Ending { verdict, closed, late };

/// Reads until there is a verdict or the probe has ended. That it has is not left to the pipe, whose other end a
/// process that the plugin has started may hold open.
Ending receive(pid_t child, int pipe, Clock::time_point end, std::string& answer) {
  constexpr std::chrono::milliseconds patience{20};
  while (answer.size() < longest_answer) {
    const bool ended = has_ended(child);  // asked first: all that it wrote is in the pipe then
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    pollfd waiting{pipe, POLLIN, 0};
    const int ready = poll(&waiting, 1, ended ? 0 : static_cast<int>(std::clamp(left, 0 * patience, patience).count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 && ended) return Ending::closed;
    if (ready <= 0 && left.count() <= 0) return Ending::late;
    if (ready <= 0) continue;
    std::array<char, 512> bytes;
    const ssize_t count = read(pipe, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Ending::closed;
    answer.append(bytes.data(), static_cast<std::size_t>(count));
    if (answer.back() == '\n' && holds_verdict(answer)) return Ending::verdict;
  }
  return Ending::closed;
}

/// Takes note of its end. Words for it; `well` is false where it did not end by itself with status 0.
std::string how_it_ended(pid_t child, bool& well) {
  int status = 0;
  well = waitpid(child, &status, 0) != child || status == 0;  // the host may have its children waited for elsewhere
  if (WIFSIGNALED(status)) {
    return "it was killed by signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  }
  return "it ended its process with status " + std::to_string(WEXITSTATUS(status));
}

/// The last line of the answer and how it begins: "stage in supports()".
std::string stage_of(const std::string& answer) {
  constexpr std::string_view mark = "\nstage ";
  const std::size_t begin = answer.rfind(mark);
  if (begin == answer.npos) return "before it was loaded";
  const std::size_t end = answer.find('\n', begin + 1);
  return answer.substr(begin + mark.size(), end - begin - mark.size());
}

ProbeResult result_of(const std::string& answer) {
  const bool good = answer.find("\ngood") != answer.npos;
  const std::size_t line = answer.find(good ? "\ngood" : "\nrefused");
  const std::size_t begin = std::min(answer.find(' ', line), answer.find('\n', line + 1)) + 1;
  const std::size_t end = answer.find('\n', line + 1);
  const std::string text = begin < end ? answer.substr(begin, end - begin) : "";
  return {good ? Kind::good : Kind::refused, clean_text(text.c_str(), text.size())};
}

/// A program that has not come so far has found out nothing about a plugin.
bool has_begun(const std::string& answer) { return answer.find("\nstage ") != answer.npos; }

ProbeResult wait_for(pid_t child, Pipe& pipe, std::chrono::milliseconds limit) {
  const Clock::time_point end = Clock::now() + limit;
  std::string answer = "\n";
  const Ending ending = receive(child, pipe.read_end(), end, answer);
  const ProbeResult result = ending == Ending::verdict ? result_of(answer) : ProbeResult{Kind::crashed, ""};
  // A refused one has nothing more to show; a good one has to leave in peace too.
  const bool waits = ending == Ending::closed || result.kind == Kind::good;
  const bool late = ending == Ending::late || (waits && !ends_until(child, end));
  kill(-child, SIGKILL);  // with whatever it started
  bool well = false;
  const std::string end_of_it = how_it_ended(child, well);
  if (result.kind == Kind::refused || (result.kind == Kind::good && !late && well)) return result;
  if (!has_begun(answer)) return {Kind::untried, "the probe program does not work: " + end_of_it};
  const std::string stage = result.kind == Kind::good ? "at the end of its process" : stage_of(answer);
  if (late) return {Kind::timed_out, "it was still busy after " + std::to_string(limit.count()) + " ms, " + stage};
  return {Kind::crashed, end_of_it + ", " + stage};
}

bool is_usable(const std::string& program, std::string& reason) {
  const OpenFile file(program);
  std::string complaint = file.complaint();
  if (complaint.empty() && access(program.c_str(), X_OK) != 0) complaint = "it is not executable";
  if (complaint.empty()) return true;
  reason += (reason.empty() ? "" : "; ") + program + ": " + complaint;
  return false;
}

}  // namespace

std::string find_probe(std::string& reason) {
  if (const char* named = secure_getenv("ATTUNE_PLUGIN_PROBE")) return is_usable(named, reason) ? named : "";
  const std::string folder = folder_of_this_library();
  for (const std::string& program :
       {folder + ATTUNE_LIBDIR_TO_PROBE, folder + "attune-plugin-probe", std::string(ATTUNE_INSTALLED_PROBE)}) {
    if (is_usable(program, reason)) return program;
  }
  return {};
}

ProbeResult probe(const std::string& program, const std::string& file, const Machine& machine,
                  std::chrono::milliseconds limit) {
  Pipe pipe;
  if (!pipe.is_open()) return {Kind::untried, std::string("no pipe: ") + std::strerror(errno)};
  const attune_machine abi = plugin::to_abi(machine);
  const pid_t child =
      SpawnSettings(pipe.write_end()).spawn({program, file, std::to_string(abi.isas), std::to_string(abi.isa)});
  if (child < 0) return {Kind::untried, program + " does not start: " + std::strerror(errno)};
  pipe.close_write_end();
  return wait_for(child, pipe, limit);
}

}  // namespace attune::detail
