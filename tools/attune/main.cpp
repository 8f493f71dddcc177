// The program `attune`. Each command lies in files of its own and declares itself to CLI11; what is common to all
// of them is here: how errors are told, and the exit status.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <attune/attune.hpp>

#include "tools/attune/backends.hpp"
#include "tools/attune/demo/demo.hpp"
#include "tools/attune/explain.hpp"
#include "tools/attune/io/pending_file.hpp"
#include "tools/attune/io/tensor.hpp"
#include "tools/attune/plugin/plugin.hpp"
#include "tools/attune/profile/command.hpp"
#include "tools/attune/run/run.hpp"
#include "tools/attune/tune/tune.hpp"

namespace attune::tool {
namespace {

enum ExitStatus { done = 0, failed = 1, wrong_input = 2 };

constexpr const char* footer = R"(Examples:
  attune demo                                            attention on a real sentence, step by step
  attune backends                                        what there is to compute with
  attune explain --q 1,12,512,64 --k 1,12,512,64         what would compute this, and why
  attune run --q q.npy --k k.npy --v v.npy --out out.npy compute attention on tensors from files
  attune tune --set bert                                 measure what is the fastest here, and remember it
  attune plugin list                                     backends from shared libraries, and why not
  attune profile --html report.html                      how time and memory grow with sequence length
  attune run --help                                      all options of a command

Exit status: 0 done, 1 it failed, 2 the input or the command line was wrong.)";

/// One line, whatever the message holds.
int complain(ExitStatus status, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fputs(fmt::format("attune: {}\n", message).c_str(), stderr);  // where nobody listens, the status says it all
  return status;
}

ExitStatus status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::unsupported:
    case ErrorCode::io:
      return wrong_input;
    case ErrorCode::backend_failed:
    case ErrorCode::out_of_memory:
      break;
  }
  return failed;
}

/// The command whose help would answer, for example "attune run".
std::string command_in_use(const CLI::App& program) {
  const auto commands = program.get_subcommands();
  return commands.empty() ? program.get_name() : program.get_name() + " " + command_in_use(*commands.front());
}

/// A mistyped word is named before what is missing because of it.
std::string what_is_wrong(const CLI::App& program, const CLI::ParseError& error) {
  const auto unknown = program.remaining(true);
  if (unknown.empty()) return error.what();
  return fmt::format("{} is no command or option here", io::in_quotes(unknown.front()));
}

/// Runs the command that the line names; throws what goes wrong in it.
int parse_and_run(CLI::App& program, int argc, char** argv) {
  try {
    program.parse(argc, argv);
    return done;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return program.exit(error);  // help
    return complain(wrong_input,
                    fmt::format("{} (see {} --help)", what_is_wrong(program, error), command_in_use(program)));
  }
}

int run_program(int argc, char** argv) {
  CLI::App program("Attention on CPUs: computes it, and says what computed it and why.", "attune");
  program.set_version_flag("--version", std::string("attune ") + version(), "Print the version");
  program.require_subcommand(1);
  program.footer(footer);
  add_demo(program);
  add_run(program);
  add_explain(program);
  add_tune(program);
  add_wisdom(program);
  add_backends(program);
  add_plugin(program);
  add_profile(program);
  return parse_and_run(program, argc, argv);
}

/// What was printed has reached its reader only now.
int flush_output(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  return complain(failed, "standard output cannot be written to");
}

/// What may be missing or cost the program its life, and is an error like others. A file that is opened must not get
/// the number of a standard stream that is closed, for it would get what is printed too; and a file that may not grow
/// any further (ulimit -f) is a write that fails.
void secure_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(stream, F_GETFD) < 0) open("/dev/null", O_RDONLY);  // printing to it still fails, and is told
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace
}  // namespace attune::tool

int main(int argc, char** argv) {
  using namespace attune;
  using namespace attune::tool;
  secure_streams();
  try {
    return flush_output(run_program(argc, argv));
  } catch (const io::WriteError& error) {
    return complain(failed, error.what());
  } catch (const Error& error) {
    return complain(status_of(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return complain(failed, "out of memory");
  } catch (const std::exception& error) {
    return complain(failed, error.what());
  }
}
