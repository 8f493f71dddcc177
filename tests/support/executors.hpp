// Executors that make the mistakes of parallel code visible.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <attune/executor.hpp>

namespace attune::test {

/// Any number of std::threads, above the number of cores too. Worker w runs the items w, w + n, w + 2n, …: a fixed
/// deal, so that every worker does get work however small it is, and a race is there to be seen in every run.
/// Between the start and the end of a loop the workers do not synchronise at all.
class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(int threads);
  ~ThreadExecutor() override;

  int num_threads() const noexcept override { return static_cast<int>(threads_.size()); }
  /// Calls from several threads take turns: worker numbers stay exclusive.
  void parallel_for(std::int64_t items, Task task) noexcept override;

 private:
  void work(int worker);

  std::mutex turn_;  // held by the caller whose loop is running
  std::mutex mutex_;
  std::condition_variable started_, finished_;
  std::uint64_t loop_ = 0;  // counts parallel_for calls; workers wait for the next one
  bool stop_ = false;
  std::size_t running_ = 0;
  std::int64_t items_ = 0;
  const Task* task_ = nullptr;
  std::vector<std::thread> threads_;
};

enum class Order { ascending, reversed, shuffled };

/// One thread that pretends to be many: runs items in an unusual order under changing worker numbers. Whatever
/// depends on the order of items, or on a worker doing neighbouring items, comes out different, every time.
class OrderExecutor final : public Executor {
 public:
  OrderExecutor(int threads, Order order, std::uint64_t seed = 0) : threads_(threads), order_(order), seed_(seed) {}

  int num_threads() const noexcept override { return threads_; }
  void parallel_for(std::int64_t items, Task task) noexcept override;

 private:
  int threads_;
  Order order_;
  std::uint64_t seed_;
};

/// One thread that watches memory (a workspace) for bytes that two workers write within one loop: on real threads
/// that is a race. Sees every write that changes a byte.
class WriteWatchExecutor final : public Executor {
 public:
  WriteWatchExecutor(int threads, std::span<const std::byte> watched);

  int num_threads() const noexcept override { return threads_; }
  void parallel_for(std::int64_t items, Task task) noexcept override;

  struct Conflict {
    std::size_t offset = 0;  // into the watched memory
    int first_worker = 0, second_worker = 0;
  };
  const std::optional<Conflict>& conflict() const noexcept { return conflict_; }

 private:
  void note_writes(int worker) noexcept;

  int threads_;
  std::span<const std::byte> watched_;
  std::vector<std::byte> before_;
  std::vector<std::int16_t> writer_;  // the worker that wrote the byte in this loop, −1 for none
  std::optional<Conflict> conflict_;
};

}  // namespace attune::test
