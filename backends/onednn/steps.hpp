// The arithmetic of one tile, in oneDNN's primitives: scores = query · keyᵀ, e^x, out += weights · value. They are made
// for a fixed size, so that a plan makes them once and a call none; what is smaller is padded.
#pragma once

#include <cstddef>
#include <cstdint>

#include <oneapi/dnnl/dnnl.hpp>

#include <attune/problem.hpp>

namespace attune::onednn {

/// Query rows and keys of a tile: scores are [queries][keys], row-major f32 without gaps, like everything here.
struct TileSize {
  std::int64_t queries = 0;
  std::int64_t keys = 0;
};

/// Where a worker's tile lies. key [keys][D] and value [keys][Dv] change from block to block.
struct TileMemory {
  float* query = nullptr;        // [queries][D]
  float* scores = nullptr;       // [queries][keys]
  float* out = nullptr;          // [queries][Dv]
  std::byte* scratch = nullptr;  // scratch_bytes()
};

class Steps {
 public:
  /// Throws dnnl::error.
  Steps(const dnnl::engine& engine, const Problem& problem, TileSize size);

  TileSize size() const noexcept { return size_; }
  std::size_t scratch_bytes() const noexcept { return scratch_.get_size(); }

 private:
  friend class BoundSteps;

  TileSize size_;
  dnnl::engine engine_;
  dnnl::memory::desc query_, key_, scores_, value_, out_, scratch_;
  dnnl::primitive multiply_keys_, tanh_, exp_, multiply_values_;
};

/// Steps on the memory of one worker. Every member returns whether oneDNN reported success.
class BoundSteps {
 public:
  /// Throws dnnl::error.
  BoundSteps(const Steps& steps, const TileMemory& memory);

  bool multiply_keys(const float* key) noexcept;      // scores = query · keyᵀ
  bool tanh() noexcept;                               // of the scores, in place; only of problems with softcap
  bool exp() noexcept;                                // likewise
  bool multiply_values(const float* value) noexcept;  // out += scores · value

 private:
  bool apply(const dnnl::primitive& step) noexcept;
  bool multiply(const dnnl::primitive& step, const dnnl::memory& left, const dnnl::memory& right,
                const dnnl::memory& result) noexcept;

  const Steps& steps_;
  dnnl::stream stream_;
  dnnl::memory query_, key_, scores_, value_, out_, scratch_;
};

}  // namespace attune::onednn
