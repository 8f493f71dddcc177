#include "engine/helper_cores.hpp"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>

namespace attune::detail {
namespace {

using Clock = std::chrono::steady_clock;

/// Moving helpers costs a system call or two for each.
constexpr std::chrono::milliseconds shortest_stay(5);

bool cores_of(pid_t thread, cpu_set_t& cores) noexcept {
  return sched_getaffinity(thread, sizeof cores, &cores) == 0;  // fails above 1024 CPUs: then all is left as it is
}

/// A thread, as long as it runs.
struct Helper {
  ~Helper();
  void join() noexcept;
  void give(const cpu_set_t& cores) noexcept;
  void keep_off(int core, int helpers) noexcept;

  bool joined = false;
  Helper *next = nullptr, *previous = nullptr;
  pid_t id = 0;
  cpu_set_t own{}, given{};
};

/// Those of the process. Never destroyed, since threads end later than static objects.
struct Helpers {
  static Helpers& instance() noexcept {
    static Helpers* all = new Helpers;
    return *all;
  }

  std::mutex mutex;
  Helper* first = nullptr;
  int count = 0, users = 0;
  pid_t process = getpid();  // a child has none of its parent's threads
  std::atomic<int> avoided{-1};
  Clock::time_point moved{};
};

/// Apart from the Helper, whose destructor has to be registered, so that callers have none.
thread_local bool is_helper = false;

void Helper::join() noexcept {
  Helpers& all = Helpers::instance();
  const std::unique_lock lock(all.mutex, std::try_to_lock);
  if (!lock || all.process != getpid() || !cores_of(0, given)) return;
  id = gettid();
  own = given;
  for (const Helper* other = all.first; other != nullptr; other = other->next)
    if (CPU_EQUAL(&own, &other->given)) own = other->own;  // a thread begins with the cores of the one that starts it
  next = all.first;
  if (next != nullptr) next->previous = this;
  all.first = this;
  ++all.count;
  all.avoided = -1;  // so that the next call moves this one, too
  joined = is_helper = true;
}

Helper::~Helper() {
  if (!joined) return;
  Helpers& all = Helpers::instance();
  const std::lock_guard lock(all.mutex);
  (previous != nullptr ? previous->next : all.first) = next;
  if (next != nullptr) next->previous = previous;
  --all.count;
}

/// Unless somebody else has given it other cores.
void Helper::give(const cpu_set_t& cores) noexcept {
  cpu_set_t now;
  if (!cores_of(id, now) || !CPU_EQUAL(&now, &given) || CPU_EQUAL(&now, &cores)) return;
  if (sched_setaffinity(id, sizeof cores, &cores) != 0 || !cores_of(id, given)) given = now;
}

void Helper::keep_off(int core, int helpers) noexcept {
  cpu_set_t others = own;
  CPU_CLR(static_cast<std::size_t>(core), &others);
  give(CPU_COUNT(&others) >= helpers ? others : own);  // with more threads than cores none can be spared
}

}  // namespace

HelperCores::HelperCores() noexcept {
  Helpers& all = Helpers::instance();
  const std::lock_guard lock(all.mutex);
  ++all.users;
}

HelperCores::~HelperCores() {
  Helpers& all = Helpers::instance();
  const std::lock_guard lock(all.mutex);
  if (--all.users > 0 || all.process != getpid()) return;
  for (Helper* helper = all.first; helper != nullptr; helper = helper->next) helper->give(helper->own);
  all.avoided = -1;
}

void HelperCores::leave_to_caller() noexcept {
  Helpers& all = Helpers::instance();
  const int core = sched_getcpu();
  if (core < 0 || core >= CPU_SETSIZE || core == all.avoided.load(std::memory_order_relaxed) || is_helper) return;
  const std::unique_lock lock(all.mutex, std::try_to_lock);
  if (!lock || all.process != getpid()) return;
  const Clock::time_point now = Clock::now();
  if (all.avoided >= 0 && now - all.moved < shortest_stay) return;
  for (Helper* helper = all.first; helper != nullptr; helper = helper->next) helper->keep_off(core, all.count);
  all.avoided = core;
  all.moved = now;
}

void HelperCores::help() noexcept {
  thread_local Helper this_thread;
  if (!is_helper) this_thread.join();
}

}  // namespace attune::detail
