// A problem with made-up elements, so that it can be run: what tuning measures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <attune/problem.hpp>

namespace attune::detail {

/// Owns the tensors of one call that describe() describes as exactly this problem and these extents. Elements are
/// random but the same each time, contiguous as [B, H, S, D]. Masks leave most keys, because what a mask of real use
/// takes away nobody knows; lengths of padded keys are full; packed members are as unequal as the extents tell.
class SampleCall {
 public:
  /// Throws Error(invalid_argument) for extents that no call could have, and bad_alloc.
  SampleCall(const Problem& problem, const Extents& extents);
  SampleCall(const SampleCall&) = delete;
  SampleCall& operator=(const SampleCall&) = delete;

  const Tensors& tensors() const noexcept { return tensors_; }
  const AttentionOptions& options() const noexcept { return options_; }

  /// Fills the result with what no computation gives, so that a row that was not written is seen.
  void spoil_out();

 private:
  using Bytes = std::unique_ptr<std::byte[]>;

  void* allocate(const TensorLayout& layout);
  TensorView random_tensor(const TensorLayout& layout, double scale);
  TensorView index_tensor(const std::vector<std::int64_t>& values);
  MutableTensorView output(const TensorLayout& layout);
  void set_tensors(const Problem& problem, const Extents& extents);
  void set_options(const Problem& problem, const Extents& extents);

  Tensors tensors_;
  AttentionOptions options_;
  std::vector<Bytes> memory_;
  std::uint64_t seed_ = 1;
};

}  // namespace attune::detail
