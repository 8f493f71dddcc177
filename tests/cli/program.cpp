#include "tests/cli/program.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "tests/io/scratch_folder.hpp"

namespace attune::test {
namespace {

std::vector<char*> pointers(Words& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

/// "NAME=" of "NAME=value"
std::string name_of(const std::string& variable) { return variable.substr(0, variable.find('=') + 1); }

Words environment_with(const Words& more) {
  Words replaced;
  for (const std::string& variable : more) replaced.push_back(name_of(variable));
  const auto stays = [&replaced](const std::string& variable) {
    return variable.rfind("ATTUNE_", 0) != 0 &&
           std::find(replaced.begin(), replaced.end(), name_of(variable)) == replaced.end();
  };
  Words result{"ATTUNE_WISDOM="};
  if (std::find(replaced.begin(), replaced.end(), result.front()) != replaced.end()) result.clear();
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (stays(*entry)) result.push_back(*entry);
  return result + more;
}

/// Both streams go to files, so that neither can fill up while the other is read.
pid_t spawn(Words arguments, Words environment, const std::string& out, const std::string& err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t child = 0;
  const int error =
      posix_spawn(&child, ATTUNE_PROGRAM, &actions, nullptr, pointers(arguments).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " ATTUNE_PROGRAM);
  return child;
}

}  // namespace

Outcome run_attune(const Words& arguments, const Words& environment) {
  const ScratchFolder streams;
  const pid_t child =
      spawn(Words{"attune"} + arguments, environment_with(environment), streams.path("out"), streams.path("err"));
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw std::runtime_error("cannot wait for the program");
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents_of(streams.path("out")),
          contents_of(streams.path("err"))};
}

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace attune::test
