// Where parallel work runs. Attune has no hidden thread pool: an executor is passed, and a host program can
// hand in its own.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include <attune/export.hpp>

namespace attune {

/// A reference to a callable f(item, worker); it does not own it. f must be noexcept.
class Task {
 public:
  template <typename F>
    requires std::is_nothrow_invocable_v<F&, std::int64_t, int> && (!std::is_same_v<std::remove_cvref_t<F>, Task>)
  Task(F& f) noexcept
      : function_(
            [](void* object, std::int64_t item, int worker) noexcept { (*static_cast<F*>(object))(item, worker); }),
        object_(const_cast<void*>(static_cast<const void*>(&f))) {}
  Task(void (*function)(void*, std::int64_t, int) noexcept, void* object) noexcept
      : function_(function), object_(object) {}

  void operator()(std::int64_t item, int worker) const noexcept { function_(object_, item, worker); }

 private:
  void (*function_)(void*, std::int64_t, int) noexcept;
  void* object_;
};

/// How the threads of make_executor() share the items of a loop, each worker its own in every loop of as many items: so
/// a thread finds in its caches what it had there before, if the calls are alike (two Zen 5 cores with an L3 each read
/// what the other's holds at 26 GB/s, what lies in memory at 46, and what lies in their own at 116). Items are dealt to
/// and fro, to workers 0 1 2 2 1 0 0 1 2 and so on, which comes out even where they become lighter; who is done with
/// his helps the others. So nothing may depend on it but speed. An executor of one's own may deal otherwise; as
/// Attune orders items for this one, its threads then change heads more often. Of more than 256 threads some share.
struct Deal {
  std::int64_t workers = 1;  // threads, or items where those are fewer

  /// Which item the worker has in this round (from 0 on).
  constexpr std::int64_t item(std::int64_t worker, std::int64_t round) const noexcept {
    return round * workers + (round % 2 == 0 ? worker : workers - 1 - worker);
  }
  constexpr std::int64_t round(std::int64_t item) const noexcept { return item / workers; }
  constexpr std::int64_t worker(std::int64_t item) const noexcept {
    const std::int64_t turn = item % workers;
    return round(item) % 2 == 0 ? turn : workers - 1 - turn;
  }
};

class ATTUNE_API Executor {
 public:
  virtual ~Executor() = default;

  /// At least 1. Constant over the executor's life.
  virtual int num_threads() const noexcept = 0;

  /// Calls task(item, worker) once for each item in 0 … items − 1 and returns when all are done.
  /// 0 ≤ worker < num_threads(), and two invocations that run at the same time never have the same worker,
  /// so that scratch memory can be indexed by it. Items should start in ascending order, as Deal has it or in a
  /// stricter one: callers put the heaviest first. May be called from several threads at once.
  virtual void parallel_for(std::int64_t items, Task task) noexcept = 0;
};

/// Runs everything on the calling thread, in order.
class ATTUNE_API InlineExecutor final : public Executor {
 public:
  int num_threads() const noexcept override { return 1; }
  void parallel_for(std::int64_t items, Task task) noexcept override {
    for (std::int64_t item = 0; item < items; ++item) task(item, 0);
  }
};

/// The cores this process may use: the affinity mask's and no more than its cgroup's CPU quota.
ATTUNE_API int available_cores() noexcept;

/// An executor of `threads` threads (0: available_cores()), on oneTBB where the library was built with it. While it
/// lives, oneTBB's threads that have helped it are kept off the core that its caller runs on, unless there are more of
/// them than other cores or the program places them itself; they get their cores back with the end of the last one.
/// The count asked for is the count used, above the number of cores too. Throws Error(invalid_argument) for
/// a negative count or one that oneTBB never reaches (above 256 and above two for each core),
/// Error(out_of_memory) when no threads could be had, and Error(unsupported) for more than one thread in a
/// library that was built without oneTBB.
ATTUNE_API std::shared_ptr<Executor> make_executor(int threads = 0);

}  // namespace attune
