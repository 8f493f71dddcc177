// ATTUNE_LOG=select: one line on standard error for each decision.
#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_set>

#include "engine/select.hpp"

namespace attune::detail {

/// Thread-safe. A loop that calls with the same problem decides the same again and again: that is told once.
class SelectionLog {
 public:
  void chosen(const Request& request, const Pick& picked);

 private:
  std::mutex mutex_;
  std::unordered_set<std::size_t> told_;
};

}  // namespace attune::detail
