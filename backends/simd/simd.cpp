// Attention a tile of queries at a time, each with its whole score rows: scores = K·Qᵀ for all keys, one softmax,
// out = Vᵀ·Pᵀ. The rows of a tile take keys · lanes · 4 bytes (S = 1024 with 32 lanes: 128 KB, in L2), which is what
// bounds the lengths this is good at; in return nothing is ever rescaled and the weights are there to be written.
#include "backends/simd/simd.hpp"

#include <algorithm>
#include <string>

#include "backends/tiles/capability.hpp"
#include "backends/tiles/key_block.hpp"
#include "backends/tiles/query_tile.hpp"

namespace attune {
namespace {

using kernels::Kernels;
using tiles::HeadRows;
using tiles::KeyBlock;
using tiles::QueryTile;

class SimdPlan final : public Plan {
 public:
  SimdPlan(const Problem& problem, Isa isa, const Kernels& kernels)
      : Plan(problem, isa),
        kernels_(kernels),
        block_keys_(tiles::keys_per_block(kernels.key_rows, problem.head_dim, problem.value_dim)) {}

  std::size_t workspace_bytes(const Extents& extents, int) const noexcept override {
    return sizeof(float) * (fixed_floats() + static_cast<std::size_t>(extents.keys * kernels_.lanes));
  }

  Status execute(const Arguments& arguments, std::span<std::byte> workspace, Executor&) const noexcept override;

  std::string describe(const Extents& extents, int num_threads) const override {
    return std::string("whole score rows; ") + kernels_.name + " tiles of " + std::to_string(kernels_.lanes) +
           " queries, blocks of " + std::to_string(block_keys_) + " keys; 1 thread; workspace " +
           std::to_string(workspace_bytes(extents, num_threads)) + " bytes";
  }

 private:
  std::size_t tile_floats() const noexcept {
    return QueryTile::scratch_floats(kernels_, problem().head_dim, problem().value_dim);
  }
  std::size_t copy_floats() const noexcept {
    return tiles::key_block_floats(block_keys_, problem().head_dim, problem().value_dim);
  }
  std::size_t fixed_floats() const noexcept { return tile_floats() + tiles::max_lanes + copy_floats(); }

  void run_tile(const Arguments& arguments, const HeadRows& head, std::int64_t first_row, float* scratch) const noexcept;
  void compute(const Arguments& arguments, const HeadRows& head, QueryTile& tile, bool careful, float* copy,
               float* row_max, float* scores) const noexcept;

  const Kernels& kernels_;
  std::int64_t block_keys_;
};

Status SimdPlan::execute(const Arguments& arguments, std::span<std::byte> workspace, Executor&) const noexcept {
  auto* scratch = reinterpret_cast<float*>(workspace.data());
  for (std::int64_t member = 0; member < arguments.members; ++member)
    for (std::int64_t kv_head = 0; kv_head < arguments.kv_heads; ++kv_head) {
      const HeadRows head = tiles::head_rows(arguments, member, kv_head);
      for (std::int64_t row = 0; row < head.count; row += kernels_.lanes) run_tile(arguments, head, row, scratch);
    }
  return Status::ok;
}

/// Each row of weights from its lane of scores, which begin at key first_key: what is not attended is 0, whatever the
/// row holds.
void write_weights(const Arguments& arguments, const HeadRows& head, const QueryTile& tile, int lanes,
                   const float* scores, std::int64_t first_key) noexcept {
  const MutableTensorView& weights = arguments.weights;
  float factor[tiles::max_lanes];
  tile.normalisers(factor);
  for (int lane = 0; lane < tile.rows(); ++lane) {
    const QueryTile::Place at = tile.place(lane);
    float* row = weights.as<float>() + head.member.batch * weights.strides[0] + at.head * weights.strides[1] +
                 at.query * weights.strides[2];
    const KeyRange attended = tile.keys_of(lane);
    for (std::int64_t key = 0; key < weights.shape[3]; ++key) {
      const bool inside = key >= attended.begin && key < attended.end;
      // Adding 0 turns the careful mode's −0 into 0.
      row[key * weights.strides[3]] = inside ? scores[(key - first_key) * lanes + lane] * factor[lane] + 0.0f : 0.0f;
    }
  }
}

void SimdPlan::run_tile(const Arguments& arguments, const HeadRows& head, std::int64_t first_row,
                        float* scratch) const noexcept {
  float* copy = scratch + tile_floats();
  float* row_max = copy + copy_floats();
  float* scores = row_max + tiles::max_lanes;
  QueryTile tile;
  tile.open(kernels_, arguments, head, first_row, scratch);
  compute(arguments, head, tile, false, copy, row_max, scores);
  if (!tile.finite()) {
    tile.reset();
    compute(arguments, head, tile, true, copy, row_max, scores);
  }
  tile.close();
  if (arguments.weights.data != nullptr) 
    write_weights(arguments, head, tile, kernels_.lanes, scores, tiles::first_block(tile.keys(), block_keys_));
}

void SimdPlan::compute(const Arguments& arguments, const HeadRows& head, QueryTile& tile, bool careful, float* copy,
                       float* row_max, float* scores) const noexcept {
  const KeyRange keys = tile.keys();
  if (keys.begin == keys.end) return;
  const auto block_at = [&](std::int64_t first) {
    return tiles::key_block(arguments, head.member, head.kv_head, first, std::min(block_keys_, keys.end - first), copy);
  };
  const std::int64_t begin = tiles::first_block(keys, block_keys_);
  alignas(64) float block_max[tiles::max_lanes];
  for (std::int64_t first = begin; first < keys.end; first += block_keys_) {
    tile.score(block_at(first), scores + (first - begin) * kernels_.lanes, block_max);
    for (int lane = 0; lane < kernels_.lanes; ++lane)
      row_max[lane] = first == begin ? block_max[lane] : std::max(row_max[lane], block_max[lane]);
  }
  tile.softmax(scores, keys.end - begin, row_max, careful);
  for (std::int64_t first = begin; first < keys.end; first += block_keys_) {
    const KeyBlock block = block_at(first);
    tile.add_values(scores + (first - begin) * kernels_.lanes, block.count, block, careful);
  }
}

class SimdBackend final : public Backend {
 public:
  std::string_view name() const noexcept override { return "simd"; }
  std::string_view description() const noexcept override {
    return "SIMD tiles with whole score rows, one thread; offers the weights";
  }
  std::vector<Isa> instruction_sets() const override { return tiles::instruction_sets(); }

  bool supports(const Problem& problem, const Extents&, std::string* reason) const override {
    return tiles::supports(problem, reason);
  }

  double estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                  int threads) const noexcept override;

  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine& machine) const override {
    return std::make_shared<SimdPlan>(problem, machine.isa, tiles::kernels_for(machine));
  }
};

double SimdBackend::estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                             int) const noexcept {
  // Score rows that outgrow half of L2 are written to and read from the next level twice.
  const double row_bytes = static_cast<double>(extents.keys) * 4.0 * tiles::max_lanes / 2;
  const double slower = row_bytes > static_cast<double>(machine.l2_bytes) / 2 ? 1.5 : 1.0;
  // Streaming pays a rescale now and then: slightly more per call than this does where both fit.
  return 0.98 * slower * tiles::estimate_seconds(problem, extents, machine);
}

}  // namespace

std::unique_ptr<Backend> make_simd() { return std::make_unique<SimdBackend>(); }

}  // namespace attune
