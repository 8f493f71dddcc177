// Scratch memory that is reused from call to call.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

namespace attune::detail {

/// One piece of memory aligned to workspace_alignment.
class Workspace {
 public:
  Workspace() = default;
  /// Throws std::bad_alloc.
  explicit Workspace(std::size_t bytes);

  std::span<std::byte> bytes() const noexcept { return {data_.get(), size_}; }
  std::size_t size() const noexcept { return size_; }

 private:
  struct Free {
    void operator()(std::byte* data) const noexcept;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

/// Thread-safe. Keeps at most `capacity` workspaces that nobody uses; the smallest leave first, because a
/// large one serves every call.
class WorkspacePool {
 public:
  static constexpr std::size_t capacity = 16;

  /// Hands its workspace back when it goes.
  class Lease {
   public:
    Lease(WorkspacePool& pool, Workspace workspace) noexcept : pool_(pool), workspace_(std::move(workspace)) {}
    ~Lease() { pool_.give_back(std::move(workspace_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    std::span<std::byte> bytes() const noexcept { return workspace_.bytes(); }

   private:
    WorkspacePool& pool_;
    Workspace workspace_;
  };

  /// At least that many bytes. Allocates only when no kept workspace is large enough. Throws std::bad_alloc.
  Lease lease(std::size_t bytes) { return Lease(*this, take(bytes)); }

 private:
  Workspace take(std::size_t bytes);
  void give_back(Workspace workspace) noexcept;

  std::mutex mutex_;
  std::array<Workspace, capacity> kept_;  // size 0 where there is none
};

}  // namespace attune::detail
