// Segments of keys side by side: each sums its own keys; then the sums are added up in order; then each segment
// computes its rows from the sum of all before it, chunk by chunk. Which rounding happens where depends on the lengths
// and the instruction set alone, so the number of threads changes no bit.
#include <algorithm>
#include <memory>
#include <new>

#include "backends/linear/chunk.hpp"

namespace attune::linear {
namespace {

constexpr std::int64_t segment_keys = 512;
static_assert(segment_keys % chunk_keys == 0);

struct Free {
  void operator()(float* memory) const noexcept { ::operator delete(memory, std::align_val_t{64}); }
};
using Floats = std::unique_ptr<float[], Free>;

Floats make_floats(std::int64_t count) {
  return Floats(
      static_cast<float*>(::operator new(static_cast<std::size_t>(count) * sizeof(float), std::align_val_t{64})));
}

std::int64_t segments_of(std::int64_t length) noexcept {
  return std::max<std::int64_t>((length + segment_keys - 1) / segment_keys, 1);
}

class Run {
 public:
  Run(const Problem& problem, const kernels::Kernels& kernels, Executor& executor)
      : problem_(problem),
        kernels_(kernels),
        executor_(executor),
        sizes_(problem, kernels),
        segments_(segments_of(keys())),
        pairs_(problem.tensors.members * problem.tensors.kv_heads),
        scratch_stride_(sizes_.scratch_floats() + (sizes_.state_floats() + 15) / 16 * 16),
        states_(make_floats(pairs_ * (segments_ + 1) * sizes_.state_floats())),
        scratch_(make_floats(executor.num_threads() * scratch_stride_)) {}

  void all() noexcept {
    const auto sum = [this](std::int64_t item, int worker) noexcept {
      sum_segment(item / segments_, item % segments_, worker);
    };
    const auto add = [this](std::int64_t pair, int) noexcept { add_up(pair); };
    const std::int64_t query_segments = segments_of(queries());
    const auto rows = [this, query_segments](std::int64_t item, int worker) noexcept {
      compute_rows(item / query_segments, item % query_segments, worker);
    };
    executor_.parallel_for(pairs_ * segments_, sum);
    executor_.parallel_for(pairs_, add);
    if (queries() > 0) executor_.parallel_for(pairs_ * query_segments, rows);
  }

 private:
  std::int64_t keys() const noexcept { return problem_.tensors.key.shape[2]; }
  std::int64_t queries() const noexcept { return problem_.tensors.query.shape[2]; }
  float* scratch(int worker) const noexcept { return scratch_.get() + worker * scratch_stride_; }

  /// The sum of all keys before a segment; in between, of the segment before it alone. A pair is (batch, kv head).
  float* state(std::int64_t pair, std::int64_t segment) const noexcept {
    return states_.get() + (pair * (segments_ + 1) + segment) * sizes_.state_floats();
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
    for (std::int64_t segment = 0; segment < segments_; ++segment) {
      const float* before = state(pair, segment);
      float* sum = state(pair, segment + 1);
      for (std::int64_t i = 0; i < sizes_.state_floats(); ++i) sum[i] += before[i];
    }
    exchange_state(pair, state(pair, segments_), [](float& ours, float& theirs) { theirs = ours; });
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
    float* seen = state(pair, segments_);
    if (problem_.causal) {
      seen = scratch(worker) + sizes_.scratch_floats();
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
  Sizes sizes_;
  std::int64_t segments_, pairs_, scratch_stride_;
  Floats states_, scratch_;
};

}  // namespace

void run_tiled(const Problem& problem, const kernels::Kernels& kernels, Executor& executor) {
  Run(problem, kernels, executor).all();
}

}  // namespace attune::linear
