// Segments of keys side by side: each sums its own keys; then the sums are added up in order; then each segment
// computes its rows from the sum of all before it, chunk by chunk. Which rounding happens where depends on the lengths
// and the instruction set alone, so the number of threads changes no bit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backends/linear/chunk.hpp"
#include "backends/tiles/rows.hpp"
#include "backends/tiles/sizes.hpp"

namespace attune::linear {
namespace {

constexpr std::int64_t segment_keys = 512;
static_assert(segment_keys % chunk_keys == 0);

std::int64_t segments_of(std::int64_t length) noexcept {
  return std::max<std::int64_t>((length + segment_keys - 1) / segment_keys, 1);
}

std::int64_t padded(std::int64_t floats) noexcept { return static_cast<std::int64_t>(tiles::padded_floats(floats)); }

/// How the workspace is divided, in floats: states first, then scratch for each thread.
struct Layout {
  Sizes sizes;
  std::int64_t segments, pairs, state_stride, scratch_floats, scratch_stride;

  Layout(const Problem& problem, const kernels::Kernels& kernels) noexcept
      : sizes(problem, kernels),
        segments(segments_of(problem.tensors.key.shape[2])),
        pairs(problem.tensors.members * problem.tensors.kv_heads),
        state_stride(padded(sizes.state_floats())),
        scratch_floats(padded(sizes.scratch_floats())),
        scratch_stride(scratch_floats + state_stride) {}

  std::int64_t states() const noexcept { return pairs * (segments + 1) * state_stride; }
  std::int64_t floats(int threads) const noexcept { return states() + threads * scratch_stride; }
};

class Run {
 public:
  Run(const Problem& problem, const kernels::Kernels& kernels, float* workspace, Executor& executor) noexcept
      : problem_(problem),
        kernels_(kernels),
        executor_(executor),
        layout_(problem, kernels),
        sizes_(layout_.sizes),
        states_(workspace),
        scratch_(workspace + layout_.states()) {}

  void all() noexcept {
    const auto sum = [this](std::int64_t item, int worker) noexcept {
      sum_segment(item / layout_.segments, item % layout_.segments, worker);
    };
    const auto add = [this](std::int64_t pair, int) noexcept { add_up(pair); };
    const std::int64_t query_segments = segments_of(queries());
    const auto rows = [this, query_segments](std::int64_t item, int worker) noexcept {
      compute_rows(item / query_segments, item % query_segments, worker);
    };
    executor_.parallel_for(layout_.pairs * layout_.segments, sum);
    executor_.parallel_for(layout_.pairs, add);
    if (queries() > 0) executor_.parallel_for(layout_.pairs * query_segments, rows);
  }

 private:
  std::int64_t keys() const noexcept { return problem_.tensors.key.shape[2]; }
  std::int64_t queries() const noexcept { return problem_.tensors.query.shape[2]; }
  float* scratch(int worker) const noexcept { return scratch_ + worker * layout_.scratch_stride; }

  /// The sum of all keys before a segment; in between, of the segment before it alone. A pair is (batch, kv head).
  float* state(std::int64_t pair, std::int64_t segment) const noexcept {
    return states_ + (pair * (layout_.segments + 1) + segment) * layout_.state_stride;
  }

  template <typename F>
  void for_each_chunk(std::int64_t segment, std::int64_t length, F f) const noexcept {
    const std::int64_t end = std::min((segment + 1) * segment_keys, length);
    for (std::int64_t first = segment * segment_keys; first < end; first += chunk_keys)
      f(first, std::min(chunk_keys, end - first));
  }

  void sum_segment(std::int64_t pair, std::int64_t segment, int worker) noexcept {
    float* sum = state(pair, segment + 1);
    std::fill_n(sum, sizes_.state_floats(), 0.0f);
    Chunk chunk(problem_, kernels_, scratch(worker));
    for_each_chunk(segment, keys(), [&](std::int64_t first, std::int64_t count) {
      chunk.load(pair / problem_.tensors.kv_heads, pair % problem_.tensors.kv_heads, first, count);
      chunk.add_to(sum);
    });
  }

  void add_up(std::int64_t pair) noexcept {
    std::fill_n(state(pair, 0), sizes_.state_floats(), 0.0f);
    exchange_state(pair, state(pair, 0), [](float& ours, float& theirs) { ours = theirs; });
    for (std::int64_t segment = 0; segment < layout_.segments; ++segment) {
      const float* before = state(pair, segment);
      float* sum = state(pair, segment + 1);
      for (std::int64_t i = 0; i < sizes_.state_floats(); ++i) sum[i] += before[i];
    }
    exchange_state(pair, state(pair, layout_.segments), [](float& ours, float& theirs) { theirs = ours; });
  }

  /// Hands each element of a state and of the caller's tensor to f.
  template <typename F>
  void exchange_state(std::int64_t pair, float* ours, F f) const noexcept {
    const MutableTensorView& theirs = problem_.state;
    if (theirs.data == nullptr) return;
    const std::int64_t b = pair / problem_.tensors.kv_heads, h = pair % problem_.tensors.kv_heads;
    for (std::int64_t d = 0; d < sizes_.dim; ++d)
      for (std::int64_t c = 0; c < sizes_.columns; ++c)
        f(ours[(c / sizes_.lanes * sizes_.dim + d) * sizes_.lanes + c % sizes_.lanes],
          theirs.as<float>()[b * theirs.strides[0] + h * theirs.strides[1] + d * theirs.strides[2] +
                             c * theirs.strides[3]]);
  }

  void compute_rows(std::int64_t pair, std::int64_t segment, int worker) noexcept {
    const std::int64_t b = pair / problem_.tensors.kv_heads, kv_head = pair % problem_.tensors.kv_heads;
    Chunk chunk(problem_, kernels_, scratch(worker));
    float* seen = state(pair, layout_.segments);
    if (problem_.causal) {
      seen = scratch(worker) + layout_.scratch_floats;
      std::copy_n(state(pair, segment), sizes_.state_floats(), seen);
    }
    const std::int64_t group = problem_.tensors.group();
    for_each_chunk(segment, queries(), [&](std::int64_t first, std::int64_t count) {
      if (problem_.causal) chunk.load(b, kv_head, first, count);
      for (std::int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head)
        for (std::int64_t i = 0; i < count; i += sizes_.lanes)
          chunk.attend(b, head, first + i, std::min(sizes_.lanes, count - i), seen);
      if (problem_.causal) chunk.add_to(seen);
    });
  }

  const Problem& problem_;
  const kernels::Kernels& kernels_;
  Executor& executor_;
  Layout layout_;
  const Sizes& sizes_;
  float *states_, *scratch_;
};

}  // namespace

void run_tiled(const Problem& problem, const kernels::Kernels& kernels, std::span<std::byte> workspace,
               Executor& executor) noexcept {
  Run(problem, kernels, reinterpret_cast<float*>(workspace.data()), executor).all();
}

std::size_t workspace_bytes(const Problem& problem, const kernels::Kernels& kernels, int num_threads) noexcept {
  return static_cast<std::size_t>(Layout(problem, kernels).floats(num_threads)) * sizeof(float);
}

}  // namespace attune::linear
