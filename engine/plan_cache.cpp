#include "engine/plan_cache.hpp"

#include <functional>
#include <iterator>
#include <utility>

namespace attune::detail {

std::size_t PlanKeyHash::operator()(const PlanKey& key) const noexcept {
  const std::size_t backend = std::hash<const void*>{}(key.backend);
  const std::size_t tiling = key.tiling.empty() ? 0 : std::hash<std::string_view>{}(key.tiling);
  return hash_value(key.problem) ^ (backend * 0x9e3779b97f4a7c15ull) ^ (static_cast<std::size_t>(key.isa) << 56) ^
         (tiling * 0xc2b2ae3d27d4eb4full);
}

std::shared_ptr<const Plan> PlanCache::find(const PlanKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->second;
}

std::shared_ptr<const Plan> PlanCache::insert(const PlanKey& key, std::shared_ptr<const Plan> plan) {
  Entries leaving;  // destroyed after the lock is released: a plan's destructor may be a plugin's
  const std::lock_guard lock(mutex_);
  if (const auto found = index_.find(key); found != index_.end()) return found->second->second;
  entries_.emplace_front(key, std::move(plan));
  try {
    index_.emplace(key, entries_.begin());
  } catch (...) {
    entries_.pop_front();
    throw;
  }
  if (entries_.size() > capacity_) {
    index_.erase(entries_.back().first);
    leaving.splice(leaving.begin(), entries_, std::prev(entries_.end()));
  }
  return index_.find(key)->second->second;
}

std::size_t PlanCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace attune::detail
