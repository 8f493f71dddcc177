#include "engine/workspace_pool.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <new>
#include <utility>

#include <attune/backend.hpp>

namespace attune::detail {
namespace {

constexpr std::align_val_t alignment{workspace_alignment};

/// Rounds up to an eighth of the size's power of two, so that a decode loop whose workspace grows a little
/// with each step does not allocate each time.
std::size_t with_headroom(std::size_t bytes) {
  constexpr std::size_t smallest = 4096;
  if (bytes > std::numeric_limits<std::size_t>::max() / 4) throw std::bad_alloc();
  const std::size_t step = std::max(smallest, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

}  // namespace

Workspace::Workspace(std::size_t bytes)
    : data_(static_cast<std::byte*>(::operator new(bytes, alignment))), size_(bytes) {}

void Workspace::Free::operator()(std::byte* data) const noexcept { ::operator delete(data, alignment); }

Workspace WorkspacePool::take(std::size_t bytes) {
  if (bytes == 0) return {};
  Workspace outgrown;  // calls have grown past it: the new one takes its place
  {
    const std::lock_guard lock(mutex_);
    Workspace* best = nullptr;
    Workspace* largest = &kept_.front();
    for (Workspace& kept : kept_) {
      if (kept.size() >= bytes && (best == nullptr || kept.size() < best->size())) best = &kept;
      if (kept.size() > largest->size()) largest = &kept;
    }
    if (best != nullptr) return std::exchange(*best, Workspace());
    std::swap(outgrown, *largest);
  }
  outgrown = Workspace();  // before the new one, so that the two do not add up
  return Workspace(with_headroom(bytes));
}

void WorkspacePool::give_back(Workspace workspace) noexcept {
  if (workspace.size() == 0) return;
  const std::lock_guard lock(mutex_);
  const auto smallest = std::min_element(kept_.begin(), kept_.end(),
                                         [](const Workspace& a, const Workspace& b) { return a.size() < b.size(); });
  if (smallest->size() < workspace.size()) std::swap(*smallest, workspace);
}

}  // namespace attune::detail
