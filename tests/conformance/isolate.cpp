// A case in a process of its own.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <system_error>

#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

/// What the child sends: the verdict's number, the share, the message; nothing if it did not get that far.
void send(int pipe, const Report& report) {
  char head[64];
  const int length =
      std::snprintf(head, sizeof head, "%d %.17g ", static_cast<int>(report.verdict), report.worst_share);
  const std::string text = std::string(head, static_cast<std::size_t>(length)) + report.message;
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t count = write(pipe, text.data() + sent, text.size() - sent);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

bool parse(const std::string& text, Report& report) {
  int verdict = 0, length = 0;
  if (std::sscanf(text.c_str(), "%d %lg %n", &verdict, &report.worst_share, &length) < 2) return false;
  report.verdict = static_cast<Verdict>(verdict);
  report.message = text.substr(static_cast<std::size_t>(length));
  return true;
}

/// Reads until the child closes the pipe or the time is over.
bool receive(int pipe, std::chrono::steady_clock::time_point end, std::string& text) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd waiting{pipe, POLLIN, 0};
    if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return false;
    char bytes[4096];
    const ssize_t count = read(pipe, bytes, sizeof bytes);
    if (count <= 0) return true;
    text.append(bytes, static_cast<std::size_t>(count));
  }
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status)) + " before it had a verdict";
}

}  // namespace

Report run_case_isolated(const Case& c, const Subject& subject, const Backend& oracle, const Settings& settings,
                         std::chrono::seconds limit) {
  int ends[2];
  if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    close(ends[0]);
    send(ends[1], run_case(c, subject, oracle, settings));
    _exit(0);
  }
  close(ends[1]);
  Report report{c.name, Verdict::crash, {}, 0};
  std::string text;
  const bool in_time = receive(ends[0], std::chrono::steady_clock::now() + limit, text);
  close(ends[0]);
  if (!in_time) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (!in_time) return {c.name, Verdict::timeout, "no verdict in " + std::to_string(limit.count()) + " s", 0};
  if (!parse(text, report) || status != 0) return {c.name, Verdict::crash, how_it_ended(status), 0};
  return report;
}

}  // namespace attune::conformance
