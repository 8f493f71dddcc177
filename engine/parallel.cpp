// The default executor, on oneTBB; no other file includes it.
//
// parallel_for() starts one task for each worker, which takes a number and then items until none is left
// (item_shares.hpp). So a number has one thread (scratch indexed by it is safe), and there is no barrier but the end.
// All that belongs to a call lives on the caller's stack, which makes concurrent and nested calls independent of each
// other.
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include <attune/error.hpp>
#include <attune/executor.hpp>

#include "engine/helper_cores.hpp"
#include "engine/item_shares.hpp"

namespace attune {
namespace {

/// oneTBB never runs more threads than this, whatever is asked.
int most_threads() noexcept { return std::max(256, 2 * available_cores()); }

/// An arena alone never gets more threads than the machine has cores: that limit is oneTBB's global_control,
/// of which the smallest of several rules. So there is one, for the largest executor alive.
class ThreadLimit {
 public:
  static ThreadLimit& instance() {
    static ThreadLimit* limit = new ThreadLimit;  // never destroyed: executors may outlive static objects
    return *limit;
  }

  void raise_for(int threads) {
    const std::lock_guard lock(mutex_);
    const auto position = demands_.insert(threads);
    try {
      apply();
    } catch (...) {
      demands_.erase(position);
      throw;
    }
  }

  void drop(int threads) noexcept {
    const std::lock_guard lock(mutex_);
    demands_.erase(demands_.find(threads));
    try {
      apply();
    } catch (...) {  // the higher limit stays, which does no harm
    }
  }

 private:
  using Control = oneapi::tbb::global_control;

  void apply() {
    const int largest = demands_.empty() ? 0 : *demands_.rbegin();
    if (largest == applied_) return;
    if (largest > default_threads_) {
      control_ = std::make_unique<Control>(Control::max_allowed_parallelism, static_cast<std::size_t>(largest));
    } else {
      control_.reset();
    }
    applied_ = largest;
  }

  const int default_threads_ = static_cast<int>(Control::active_value(Control::max_allowed_parallelism));
  std::mutex mutex_;
  std::multiset<int> demands_;
  std::unique_ptr<Control> control_;
  int applied_ = 0;
};

/// Holds the process-wide limit up for as long as it lives.
class ThreadDemand {
 public:
  explicit ThreadDemand(int threads) : threads_(threads) { ThreadLimit::instance().raise_for(threads_); }
  ~ThreadDemand() { ThreadLimit::instance().drop(threads_); }
  ThreadDemand(const ThreadDemand&) = delete;
  ThreadDemand& operator=(const ThreadDemand&) = delete;

 private:
  int threads_;
};

class TbbExecutor final : public Executor {
 public:
  explicit TbbExecutor(int threads) : threads_(threads), demand_(threads), arena_(threads) { arena_.initialize(); }

  int num_threads() const noexcept override { return threads_; }

  void parallel_for(std::int64_t items, Task task) noexcept override {
    const int slots = static_cast<int>(std::min<std::int64_t>(items, threads_));
    detail::ItemShares shares(items, slots);
    if (slots <= 1) return shares.drain(0, task);
    const std::thread::id caller = std::this_thread::get_id();
    // A thread keeps its place in the arena from loop to loop, but not the slot that oneTBB gives it.
    const auto run_slot = [&shares, &task, caller](int slot) {
      if (std::this_thread::get_id() != caller) detail::HelperCores::help();
      shares.drain(shares.number(std::max(oneapi::tbb::this_task_arena::current_thread_index(), 0), slot), task);
    };
    detail::HelperCores::leave_to_caller();
    try {
      arena_.execute([&] { oneapi::tbb::parallel_for(0, slots, run_slot, oneapi::tbb::simple_partitioner()); });
    } catch (...) {
      // oneTBB had no memory for its tasks. Those it had started have ended by now; the rest is done here.
      shares.drain(0, task);
    }
  }

 private:
  const int threads_;
  ThreadDemand demand_;
  detail::HelperCores helper_cores_;
  oneapi::tbb::task_arena arena_;
};

}  // namespace

std::shared_ptr<Executor> make_executor(int threads) {
  if (threads < 0 || threads > most_threads()) {
    throw Error(ErrorCode::invalid_argument, "threads: is " + std::to_string(threads) +
                                                 ", must be 0 (all available cores) to " +
                                                 std::to_string(most_threads()));
  }
  if (threads == 0) threads = available_cores();
  if (threads == 1) return std::make_shared<InlineExecutor>();
  try {
    return std::make_shared<TbbExecutor>(threads);
  } catch (const std::exception& failure) {
    throw Error(ErrorCode::out_of_memory, std::string("threads: oneTBB could not start: ") + failure.what());
  }
}

}  // namespace attune
