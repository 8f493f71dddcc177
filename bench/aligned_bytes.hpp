// Memory for tensors and workspaces of the benches.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>

#include <attune/backend.hpp>

namespace attune::bench {

/// Uninitialised bytes aligned to workspace_alignment.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t count) : count_(count) {
    const std::size_t blocks = count / workspace_alignment + 1;
    bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(workspace_alignment, blocks * workspace_alignment)));
    if (!bytes_) throw std::bad_alloc();
  }

  std::byte* data() const noexcept { return bytes_.get(); }
  std::span<std::byte> span() const noexcept { return {bytes_.get(), count_}; }

 private:
  struct Free {
    void operator()(std::byte* p) const noexcept { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t count_ = 0;
};

}  // namespace attune::bench
