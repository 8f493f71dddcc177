#include "engine/helper_cores.hpp"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <new>

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
  Helper() noexcept;
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;
  void give(const cpu_set_t& cores) noexcept;
  void keep_off(int core, int helpers) noexcept;

  bool joined = false;
  Helper *next = nullptr, *previous = nullptr;
  pid_t id = 0;
  cpu_set_t own{}, given{};
};

/// Those of the process.
struct Helpers {
  /// Never destroyed, since threads end later than static objects.
  static Helpers& instance() noexcept {
    alignas(Helpers) static std::byte place[sizeof(Helpers)];
    static Helpers* all = new (place) Helpers;
    return *all;
  }
  /// A child has none of its parent's threads, nor a mutex that anybody would unlock.
  bool are_here() const noexcept { return process == getpid(); }

  std::mutex mutex;
  Helper* first = nullptr;
  int count = 0, users = 0;
  const pid_t process = getpid();
  std::atomic<int> avoided{-1};
  Clock::time_point moved{};
};

/// What this thread is. Who has called once is no helper, although callers take items of each other while they wait.
enum class Role : unsigned char { none, caller, helper };
thread_local Role role = Role::none;

Helper::Helper() noexcept {
  Helpers& all = Helpers::instance();
  if (!all.are_here() || !cores_of(0, own)) return;
  const std::lock_guard lock(all.mutex);
  id = gettid();
  given = own;
  next = all.first;
  if (next != nullptr) next->previous = this;
  all.first = this;
  ++all.count;
  all.avoided = -1;  // so that the next call places this one, too
  joined = true;
}

Helper::~Helper() {
  Helpers& all = Helpers::instance();
  if (!joined || !all.are_here()) return;
  const std::lock_guard lock(all.mutex);
  (previous != nullptr ? previous->next : all.first) = next;
  if (next != nullptr) next->previous = previous;
  --all.count;
  all.avoided = -1;
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
  if (!all.are_here()) return;
  const std::lock_guard lock(all.mutex);
  ++all.users;
}

HelperCores::~HelperCores() {
  Helpers& all = Helpers::instance();
  if (!all.are_here()) return;
  const std::lock_guard lock(all.mutex);
  if (--all.users > 0) return;
  for (Helper* helper = all.first; helper != nullptr; helper = helper->next) helper->give(helper->own);
  all.avoided = -1;
}

void HelperCores::leave_to_caller() noexcept {
  if (role == Role::helper) return;
  role = Role::caller;
  Helpers& all = Helpers::instance();
  const int core = sched_getcpu();
  if (core < 0 || core >= CPU_SETSIZE || core == all.avoided.load(std::memory_order_relaxed) || !all.are_here()) return;
  const std::unique_lock lock(all.mutex, std::try_to_lock);
  const Clock::time_point now = Clock::now();
  if (!lock || (all.avoided >= 0 && now - all.moved < shortest_stay)) return;
  for (Helper* helper = all.first; helper != nullptr; helper = helper->next) helper->keep_off(core, all.count);
  all.avoided = core;
  all.moved = now;
}

void HelperCores::help() noexcept {
  if (role != Role::none) return;
  role = Role::helper;
  thread_local Helper this_thread;  // its destructor has to be registered: not for callers
}

}  // namespace attune::detail
