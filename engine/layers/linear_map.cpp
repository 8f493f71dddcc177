#include "engine/layers/linear_map.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include <attune/error.hpp>

#include "backends/kernels/kernels.hpp"
#include "backends/tiles/capability.hpp"
#include "backends/tiles/rows.hpp"

namespace attune::detail {
namespace {

using kernels::Kernels;

/// Features that are computed into one block of scores; a block stays within a head.
constexpr std::int64_t block_features = 128;
/// Features of one item of work: enough that transposing the rows of x (once per item) costs little beside.
constexpr std::int64_t item_features = 4 * block_features;

struct FreeAligned {
  void operator()(float* p) const noexcept { std::free(p); }
};

std::unique_ptr<float[], FreeAligned> allocate(std::size_t floats) {
  const std::size_t bytes = (floats * sizeof(float) + 63) / 64 * 64;
  void* memory = std::aligned_alloc(64, std::max<std::size_t>(bytes, 64));
  if (memory == nullptr)
    throw Error(ErrorCode::out_of_memory, "linear map: no memory for " + std::to_string(bytes) + " bytes of scratch");
  return std::unique_ptr<float[], FreeAligned>(static_cast<float*>(memory));
}

class LinearJob {
 public:
  LinearJob(const Linear& map, const TensorView& x, const MutableTensorView& y, const Kernels& kernels)
      : map_(map), x_(x), y_(y), kernels_(kernels), tokens_(x.shape[0] * x.shape[1]) {}

  std::int64_t items() const noexcept { return tiles() * chunks(); }
  std::size_t scratch_floats() const noexcept {
    const auto lanes = static_cast<std::size_t>(kernels_.lanes);
    return (static_cast<std::size_t>(map_.in_features + 2 * block_features) * lanes + tiles::max_lanes + 15) / 16 * 16;
  }

  /// One tile of tokens against item_features features.
  void run(std::int64_t item, float* scratch) const noexcept {
    const std::int64_t first_token = item / chunks() * kernels_.lanes;
    const int count = static_cast<int>(std::min<std::int64_t>(kernels_.lanes, tokens_ - first_token));
    const float* rows[tiles::max_lanes] = {};
    for (int lane = 0; lane < count; ++lane) rows[lane] = x_.as<float>() + (first_token + lane) * map_.in_features;
    kernels_.load_rows(rows, count, map_.in_features, 1.0f, scratch);

    const std::int64_t begin = item % chunks() * item_features;
    const std::int64_t end = std::min(begin + item_features, map_.out_features);
    for (std::int64_t feature = begin; feature < end;) {
      const std::int64_t next = std::min({end, feature + block_features, (feature / dim() + 1) * dim()});
      run_block(first_token, count, feature, next - feature, scratch);
      feature = next;
    }
  }

 private:
  std::int64_t dim() const noexcept { return y_.shape[3]; }
  std::int64_t tiles() const noexcept { return (tokens_ + kernels_.lanes - 1) / kernels_.lanes; }
  std::int64_t chunks() const noexcept { return (map_.out_features + item_features - 1) / item_features; }

  /// Features first … first + count − 1, all of one head.
  void run_block(std::int64_t first_token, int rows, std::int64_t first, std::int64_t count,
                 float* scratch) const noexcept {
    float* row_max = scratch + map_.in_features * kernels_.lanes;
    float* block = row_max + tiles::max_lanes;
    const int vectors = rows <= kernels_.lanes / 2 ? 1 : 2;
    kernels_.scores(scratch, map_.in_features, map_.weight.data() + first * map_.in_features, map_.in_features, count,
                    vectors, {}, block, row_max);
    if (!map_.bias.empty())
      for (std::int64_t f = 0; f < count; ++f)
        for (int lane = 0; lane < rows; ++lane)
          block[f * kernels_.lanes + lane] += map_.bias[static_cast<std::size_t>(first + f)];

    std::int64_t at[tiles::max_lanes] = {};
    alignas(64) float ones[tiles::max_lanes];
    std::fill_n(ones, tiles::max_lanes, 1.0f);
    for (int lane = 0; lane < rows; ++lane) {
      const std::int64_t token = first_token + lane;
      at[lane] =
          tiles::index_of(y_, token / x_.shape[1], first / dim(), token % x_.shape[1]) + first % dim() * y_.strides[3];
    }
    float* waiting = block + block_features * kernels_.lanes;
    tiles::write_rows(kernels_, count, y_, at, rows, {waiting, block_features},
                      [&](float* const* to) { return kernels_.store_rows(block, count, ones, to, rows); });
  }

  const Linear& map_;
  const TensorView& x_;
  const MutableTensorView& y_;
  const Kernels& kernels_;
  std::int64_t tokens_;
};

}  // namespace

void apply(const Linear& map, const TensorView& x, const MutableTensorView& y, const Machine& machine,
           Executor& executor) {
  const LinearJob job(map, x, y, tiles::kernels_for(machine));
  if (job.items() == 0) return;
  const std::size_t stride = job.scratch_floats();
  const auto scratch = allocate(stride * static_cast<std::size_t>(executor.num_threads()));
  float* memory = scratch.get();
  const auto run = [&job, memory, stride](std::int64_t item, int worker) noexcept {
    job.run(item, memory + stride * static_cast<std::size_t>(worker));
  };
  executor.parallel_for(job.items(), run);
}

}  // namespace attune::detail
