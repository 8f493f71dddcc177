// A case in a process of its own.
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

/// What the child sends: the verdict's number, the share, the message.
std::string text_of(const Report& report) {
  char head[64];
  const int length =
      std::snprintf(head, sizeof head, "%d %.17g ", static_cast<int>(report.verdict), report.worst_share);
  return std::string(head, static_cast<std::size_t>(length)) + report.message;
}

bool parse(const std::string& text, Report& report) {
  int verdict = 0, length = 0;
  if (std::sscanf(text.c_str(), "%d %lg %n", &verdict, &report.worst_share, &length) < 2) return false;
  report.verdict = static_cast<Verdict>(verdict);
  report.message = text.substr(static_cast<std::size_t>(length));
  return true;
}

/// Tells whose guard was hit, and lets the signal end the process.
void on_bad_access(int signal, siginfo_t* info, void*) {
  std::array<char, 160> text;
  if (test::describe_forbidden(info->si_addr, text)) test::explain_end({text.data(), std::strlen(text.data())});
  raise(signal);  // waits until this function returns; by then the signal kills
}

void explain_bad_accesses() {
  static std::array<std::byte, 1 << 16> stack;  // the usual one may be what has run out
  const stack_t other{.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  sigaltstack(&other, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_bad_access;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGSEGV, SIGBUS}) sigaction(signal, &action, nullptr);
}

Report run(const IsolatedCase& c, const Backend& oracle, const Settings& settings) {
  explain_bad_accesses();
  try {
    return run_case(*c.which, c.subject(), oracle, settings);
  } catch (const std::exception& error) {
    return {c.which->name, Verdict::fail, error.what(), 0};
  }
}

}  // namespace

void run_cases_isolated(const std::vector<IsolatedCase>& cases, const Backend& oracle, const Settings& settings,
                        const test::ChildLimits& limits,
                        const std::function<bool(std::size_t, const IsolatedReport&)>& done) {
  const auto work = [&](std::size_t i) { return text_of(run(cases[i], oracle, settings)); };
  test::run_in_children(cases.size(), work, limits, [&](std::size_t i, const test::Ending& ending) {
    IsolatedReport report{{cases[i].which->name, Verdict::crash, ending.reason, 0}, ending.printed, ending.seconds};
    if (ending.kind == test::Ending::Kind::timed_out) report.verdict = Verdict::timeout;
    if (ending.kind == test::Ending::Kind::answered && !parse(ending.answer, report))
      report.message = "sent no verdict";
    return done(i, report);
  });
}

Report run_case_isolated(const Case& c, const Subject& subject, const Backend& oracle, const Settings& settings,
                         std::chrono::seconds limit) {
  Report result;
  run_cases_isolated({{&c, [&] { return subject; }}}, oracle, settings, {limit, 1},
                     [&](std::size_t, const IsolatedReport& report) {
                       result = report;
                       return true;
                     });
  return result;
}

}  // namespace attune::conformance
