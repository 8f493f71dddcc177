// Several children at a time.
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <system_error>
#include <vector>

#include "tests/support/child.hpp"

namespace attune::test {
namespace {

/// While it lives, the end of a child interrupts wait(), and nothing else.
class ChildSignal {
 public:
  ChildSignal() {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &outside_);
    struct sigaction action{};
    action.sa_handler = [](int) {};
    sigaction(SIGCHLD, &action, &action_outside_);
  }
  ~ChildSignal() {
    sigaction(SIGCHLD, &action_outside_, nullptr);
    sigprocmask(SIG_SETMASK, &outside_, nullptr);
  }
  ChildSignal(const ChildSignal&) = delete;
  ChildSignal& operator=(const ChildSignal&) = delete;

  void wait(std::vector<pollfd>& pipes, std::chrono::nanoseconds time) const {
    sigset_t mask = outside_;
    sigdelset(&mask, SIGCHLD);
    const auto left = std::max(time, std::chrono::nanoseconds(0));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec limit{seconds.count(), (left - seconds).count()};
    if (ppoll(pipes.data(), pipes.size(), &limit, &mask) < 0 && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "ppoll");
  }

 private:
  sigset_t outside_{};
  struct sigaction action_outside_{};
};

struct Running {
  std::size_t index;
  std::unique_ptr<Child> child;
};

void wait_for_news(const ChildSignal& signal, const std::vector<Running>& running) {
  std::vector<pollfd> pipes;
  auto soonest = running.front().child->deadline();
  for (const Running& entry : running) {
    for (const int pipe : {entry.child->answer_pipe(), entry.child->print_pipe()}) pipes.push_back({pipe, POLLIN, 0});
    soonest = std::min(soonest, entry.child->deadline());
  }
  signal.wait(pipes, soonest - Child::Clock::now());
}

}  // namespace

void run_in_children(std::size_t count, const std::function<std::string(std::size_t)>& work, const ChildLimits& limits,
                     const std::function<bool(std::size_t, const Ending&)>& done) {
  const ChildSignal signal;
  std::vector<Running> running;
  std::size_t next = 0;
  bool wanted = true;
  for (;;) {
    while (wanted && next < count && running.size() < static_cast<std::size_t>(std::max(limits.jobs, 1))) {
      const std::size_t index = next++;
      running.push_back({index, std::make_unique<Child>([&, index] { return work(index); }, limits.time)});
    }
    if (running.empty()) return;
    wait_for_news(signal, running);
    for (std::size_t i = 0; i < running.size();) {
      running[i].child->read();
      if (!running[i].child->is_over()) {
        ++i;
        continue;
      }
      const Running over = std::move(running[i]);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
      wanted = done(over.index, over.child->ending()) && wanted;
    }
  }
}

}  // namespace attune::test
