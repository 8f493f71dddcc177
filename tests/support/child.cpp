#include "tests/support/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace attune::test {
namespace {

constexpr std::size_t kept_of_prints = 2000;
constexpr char explanation = '!';  // what comes down the answer pipe in place of an answer; those begin with a digit

/// Of a pipe, both ends closed by exec and, unless taken, at the end of the scope.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  ~Pipe() {
    for (const int end : ends_)
      if (end >= 0) close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int in() const { return ends_[1]; }
  /// The end to read from, which does not block.
  int take_out() {
    const int out = std::exchange(ends_[0], -1);
    fcntl(out, F_SETFL, O_NONBLOCK);
    return out;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

int pipe_to_parent = -1;  // −1: this is no child

void send(int pipe, std::string_view text) noexcept {
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = write(pipe, text.data() + sent, text.size() - sent);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

/// As after exec: a signal ends the child, whatever handler the parent has for it. A sanitizer's, or a crash
/// reporter's, would turn the signal into an exit.
void forget_signals_of_parent() {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action{};
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) signal(number, SIG_DFL);
  }
  for (const int number : {SIGCHLD, SIGINT, SIGTERM}) signal(number, SIG_DFL);  // ignored ones too
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// A process that nobody sees and that leaves nothing behind.
void make_it_harmless(pid_t parent, int print_pipe) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it died before the line above
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  dup2(print_pipe, STDOUT_FILENO);
  dup2(print_pipe, STDERR_FILENO);
  const rlimit no_core{1, 1};  // with 0, a core is still piped to a program where the system says so
  setrlimit(RLIMIT_CORE, &no_core);
  forget_signals_of_parent();
}

/// Noexcept: nothing unwinds into what the parent was doing.
[[noreturn]] void live(const std::function<std::string()>& work, int answer_pipe) noexcept {
  pipe_to_parent = answer_pipe;
  const std::string answer = work();
  send(answer_pipe, std::to_string(answer.size()) + ' ' + answer);
  _exit(0);
}

/// The answer, if all of it has arrived: it comes behind its length.
bool is_whole(const std::string& text, std::string& answer) {
  const std::size_t space = text.find(' ');
  if (space == std::string::npos) return false;
  answer = text.substr(space + 1);
  return std::to_string(answer.size()) == text.substr(0, space);
}

std::string how_it_ended(int status) {
  if (!WIFSIGNALED(status))
    return "ended the process with status " + std::to_string(WEXITSTATUS(status)) + " in the middle";
  const int signal = WTERMSIG(status);
  const char* const name = sigabbrev_np(signal);
  return std::string("killed by SIG") + (name != nullptr ? name : std::to_string(signal)) + " (" + strsignal(signal) +
         ")";
}

/// Appends what the pipe holds to `text`, of which the last `kept` bytes stay; closes the pipe at its end.
void drain(int& pipe, std::string& text, std::size_t kept) {
  std::array<char, 65536> bytes;
  // A child that prints faster than it is read must not keep the parent here.
  for (int turn = 0; turn < 16 && pipe >= 0; ++turn) {
    const ssize_t count = ::read(pipe, bytes.data(), bytes.size());
    if (count < 0) return;  // nothing there now
    if (count == 0) close(std::exchange(pipe, -1));
    text.append(bytes.data(), static_cast<std::size_t>(count));
    if (text.size() > kept) text.erase(0, text.size() - kept);
  }
}

double seconds_since(Child::Clock::time_point start) {
  return std::chrono::duration<double>(Child::Clock::now() - start).count();
}

}  // namespace

Child::Child(const std::function<std::string()>& work, std::chrono::milliseconds limit)
    : start_(Clock::now()), deadline_(start_ + limit) {
  Pipe answer, print;
  std::fflush(nullptr);  // or the child could print it once more
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (process_ == 0) {
    make_it_harmless(parent, print.in());
    live(work, answer.in());
  }
  setpgid(process_, process_);  // here too: there must be a group before anyone kills it
  answer_pipe_ = answer.take_out();
  print_pipe_ = print.take_out();
}

Child::~Child() {
  if (process_ >= 0) {
    kill_group();
    waitpid(process_, nullptr, 0);
  }
  if (answer_pipe_ >= 0) close(answer_pipe_);
  if (print_pipe_ >= 0) close(print_pipe_);
}

void Child::kill_group() {
  kill(-process_, SIGKILL);
  kill(process_, SIGKILL);  // it may have left its group
}

void Child::read() {
  drain(answer_pipe_, answer_, std::string::npos);
  drain(print_pipe_, printed_, kept_of_prints);
}

bool Child::is_over() {
  if (process_ < 0) return true;
  siginfo_t info{};
  // Not waited for yet: until then nobody else can get the number of its group.
  const bool ended =
      waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == process_;
  in_time_ = ended || Clock::now() < deadline_;
  if (!ended && in_time_) return false;
  kill_group();
  waitpid(process_, &status_, 0);
  process_ = -1;
  seconds_ = seconds_since(start_);
  read();
  return true;
}

Ending Child::ending() {
  Ending ending{Ending::Kind::crashed, {}, {}, printed_, seconds_};
  if (!in_time_) {
    ending.kind = Ending::Kind::timed_out;
    char text[48];
    std::snprintf(text, sizeof text, "not done in %g s", std::chrono::duration<double>(deadline_ - start_).count());
    ending.reason = text;
  } else if (status_ == 0 && is_whole(answer_, ending.answer)) {
    ending.kind = Ending::Kind::answered;
  } else {
    ending.reason = how_it_ended(status_);
    if (answer_.starts_with(explanation)) ending.reason += ": " + answer_.substr(1);
  }
  return ending;
}

void explain_end(std::string_view why) noexcept {
  if (pipe_to_parent < 0) return;
  send(pipe_to_parent, std::string_view(&explanation, 1));
  send(pipe_to_parent, why);
}

}  // namespace attune::test
