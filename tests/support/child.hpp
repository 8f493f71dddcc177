// Work in a process of its own: it may crash, hang, print, exit or start threads and processes, and the caller learns
// what became of it and lives on.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace attune::test {

/// What became of a child.
struct Ending {
  enum class Kind { answered, crashed, timed_out };
  Kind kind = Kind::crashed;
  std::string answer;   // if it answered: what its work returned
  std::string reason;   // if not: why, for example "killed by SIGSEGV (Segmentation fault)"
  std::string printed;  // the end of what it wrote to standard output and standard error
  double seconds = 0;
};

/// A child that runs `work` and sends its text home. It reads nothing, what it prints is kept apart, it leads a process
/// group of its own, and dies with its parent. The calling process must have one thread.
class Child {
 public:
  using Clock = std::chrono::steady_clock;

  /// Throws std::system_error where there can be no process. An exception out of `work` ends the child by SIGABRT.
  Child(const std::function<std::string()>& work, std::chrono::milliseconds limit);
  /// Kills it, its process group with it.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  Clock::time_point deadline() const { return deadline_; }
  /// What to wait for with poll(); −1 once there is nothing more to come.
  int answer_pipe() const { return answer_pipe_; }
  int print_pipe() const { return print_pipe_; }

  /// Takes in what has arrived. Never blocks.
  void read();
  /// Has it ended, or is its time over? Then ending() says how, and whatever it left running is killed.
  bool is_over();
  Ending ending();

 private:
  void kill_group();

  pid_t process_ = -1;  // −1: ended and waited for
  int answer_pipe_ = -1, print_pipe_ = -1;
  Clock::time_point start_, deadline_;
  bool in_time_ = true;
  int status_ = 0;
  double seconds_ = 0;
  std::string answer_, printed_;
};

/// In a child's signal handler: adds why to the reason that the parent gives for its end. Elsewhere does nothing.
void explain_end(std::string_view why) noexcept;

struct ChildLimits {
  std::chrono::milliseconds time{60'000};  // of each
  int jobs = 1;                            // children at a time
};

/// Runs work(0) … work(count − 1), each in a child, and calls done(index, ending) here as they end, in any order. No
/// further ones are started once done() has returned false.
void run_in_children(std::size_t count, const std::function<std::string(std::size_t)>& work, const ChildLimits& limits,
                     const std::function<bool(std::size_t, const Ending&)>& done);

}  // namespace attune::test
