#include "tests/support/executors.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

namespace attune::test {

ThreadExecutor::ThreadExecutor(int threads) {
  threads_.reserve(static_cast<std::size_t>(threads));
  for (int worker = 0; worker < threads; ++worker) threads_.emplace_back([this, worker] { work(worker); });
}

ThreadExecutor::~ThreadExecutor() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  started_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadExecutor::parallel_for(std::int64_t items, Task task) noexcept {
  const std::lock_guard one_loop_at_a_time(turn_);
  std::unique_lock lock(mutex_);
  items_ = items;
  task_ = &task;
  running_ = threads_.size();
  ++loop_;
  started_.notify_all();
  finished_.wait(lock, [this] { return running_ == 0; });
}

void ThreadExecutor::work(int worker) {
  std::uint64_t done = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    started_.wait(lock, [&] { return stop_ || loop_ != done; });
    if (stop_) return;
    done = loop_;
    const std::int64_t items = items_;
    const std::int64_t step = num_threads();
    const Task task = *task_;
    lock.unlock();
    for (std::int64_t item = worker; item < items; item += step) task(item, worker);
    lock.lock();
    if (--running_ == 0) finished_.notify_one();
  }
}

void OrderExecutor::parallel_for(std::int64_t items, Task task) noexcept {
  std::vector<std::int64_t> order(static_cast<std::size_t>(items));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::mt19937_64 random(seed_);
  if (order_ == Order::reversed) std::reverse(order.begin(), order.end());
  if (order_ == Order::shuffled) std::shuffle(order.begin(), order.end(), random);
  std::int64_t step = 0;
  for (const std::int64_t item : order) {
    const auto draw = order_ == Order::shuffled ? static_cast<std::int64_t>(random() >> 1) : step++;
    task(item, static_cast<int>(draw % threads_));
  }
}

WriteWatchExecutor::WriteWatchExecutor(int threads, std::span<const std::byte> watched)
    : threads_(threads), watched_(watched), before_(watched.size()), writer_(watched.size()) {}

void WriteWatchExecutor::parallel_for(std::int64_t items, Task task) noexcept {
  std::fill(writer_.begin(), writer_.end(), std::int16_t{-1});
  std::copy(watched_.begin(), watched_.end(), before_.begin());
  for (std::int64_t item = 0; item < items; ++item) {
    const int worker = static_cast<int>(item % threads_);
    task(item, worker);
    note_writes(worker);
  }
}

void WriteWatchExecutor::note_writes(int worker) noexcept {
  constexpr std::size_t chunk = 256;  // most of the memory is unchanged: compare it in pieces first
  for (std::size_t begin = 0; begin < watched_.size(); begin += chunk) {
    const std::size_t end = std::min(begin + chunk, watched_.size());
    if (std::memcmp(&watched_[begin], &before_[begin], end - begin) == 0) continue;
    for (std::size_t i = begin; i < end; ++i) {
      if (watched_[i] == before_[i]) continue;
      before_[i] = watched_[i];
      if (writer_[i] >= 0 && writer_[i] != worker && !conflict_) conflict_ = Conflict{i, writer_[i], worker};
      writer_[i] = static_cast<std::int16_t>(worker);
    }
  }
}

}  // namespace attune::test
