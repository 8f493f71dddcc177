// How long tuning may go on.
#pragma once

#include <chrono>
#include <string>

#include <attune/tuning.hpp>

namespace attune::detail {

/// Time to spend, and whether anybody stopped it.
class Budget {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Budget(const TuneOptions& options) : options_(options) {}

  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  /// Asks who watches, and the clock. `doing`: what is to be measured next.
  bool goes_on(const std::string& doing) {
    if (options_.progress && !options_.progress({doing, elapsed(), options_.budget_seconds})) stopped_ = true;
    return !stopped_ && elapsed() < share_ * options_.budget_seconds;
  }
  bool was_stopped() const noexcept { return stopped_; }
  /// Of the whole, that may be spent from now on.
  void set_share(double share) noexcept { share_ = share; }

 private:
  const TuneOptions& options_;
  Clock::time_point start_ = Clock::now();
  double share_ = 1;
  bool stopped_ = false;
};

}  // namespace attune::detail
