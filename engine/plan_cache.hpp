// Plans kept from call to call: the same problem on the same backend and instruction set plans once.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <attune/backend.hpp>

namespace attune::detail {

struct PlanKey {
  Problem problem;
  const Backend* backend = nullptr;
  Isa isa = Isa::generic;
  std::string_view tiling{};  // the backend's
  bool operator==(const PlanKey&) const = default;
};

struct PlanKeyHash {
  std::size_t operator()(const PlanKey& key) const noexcept;
};

/// Thread-safe. When it is full, the plan that was not used for the longest time leaves; whoever holds it
/// keeps it alive.
class PlanCache {
 public:
  explicit PlanCache(std::size_t capacity = 256) : capacity_(capacity) {}

  /// The plan, now the most recently used, or null. Allocates nothing.
  std::shared_ptr<const Plan> find(const PlanKey& key);

  /// Keeps a plan. If another thread was faster, answers the one that is already kept.
  std::shared_ptr<const Plan> insert(const PlanKey& key, std::shared_ptr<const Plan> plan);

  std::size_t size() const;

 private:
  using Entry = std::pair<PlanKey, std::shared_ptr<const Plan>>;
  using Entries = std::list<Entry>;

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  Entries entries_;  // the most recently used first
  std::unordered_map<PlanKey, Entries::iterator, PlanKeyHash> index_;
};

}  // namespace attune::detail
