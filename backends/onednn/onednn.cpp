// Attention by oneDNN's primitives, one tile of query rows at a time: for every block of keys
//   scores = query · keyᵀ (matmul);  options and running maximum (softmax.hpp);  e^x (eltwise);
//   out += scores · value (matmul)
// so that memory does not grow with the lengths: a worker's tile is 64 queries by 256 keys, 64 KB. oneDNN itself
// parallelises inside a matmul; tiles of this size leave it nothing to gain there, and the executor's threads take
// tiles instead. Source of the streaming: Dao et al., "FlashAttention", 2022.
#include <attune/plugin.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "backends/naive/element.hpp"
#include "backends/onednn/blocks.hpp"
#include "backends/onednn/one_thread.hpp"
#include "backends/onednn/rows.hpp"
#include "backends/onednn/softmax.hpp"
#include "backends/onednn/steps.hpp"

namespace attune::onednn {
namespace {

/// Hands out parts of a worker's memory, each aligned.
class Parts {
 public:
  explicit Parts(std::byte* memory) noexcept : memory_(memory) {}
  std::byte* bytes(std::size_t count) noexcept {
    std::byte* const part = memory_ + used_;
    used_ += (count + workspace_alignment - 1) / workspace_alignment * workspace_alignment;
    return part;
  }
  float* floats(std::int64_t count) noexcept {
    return reinterpret_cast<float*>(bytes(static_cast<std::size_t>(count) * sizeof(float)));
  }
  std::size_t used() const noexcept { return used_; }

 private:
  std::byte* memory_;
  std::size_t used_ = 0;
};

/// A worker's scratch memory.
struct Scratch {
  TileMemory tile;
  float* key = nullptr;         // [block_keys][D]
  float* value = nullptr;       // [block_keys][Dv]
  float* statistics = nullptr;  // Softmax's
  std::size_t bytes = 0;

  Scratch(std::byte* memory, const Problem& problem, std::size_t onednn_bytes) noexcept {
    constexpr std::int64_t queries = tile_queries.back(), keys = block_keys.back();
    Parts parts(memory);
    tile.query = parts.floats(queries * problem.head_dim);
    tile.scores = parts.floats(queries * keys);
    tile.out = parts.floats(queries * problem.value_dim);
    tile.scratch = parts.bytes(onednn_bytes);
    key = parts.floats(keys * problem.head_dim);
    value = parts.floats(keys * problem.value_dim);
    statistics = parts.floats(2 * queries);
    bytes = parts.used();
  }
};

class OneDnnPlan final : public Plan {
 public:
  OneDnnPlan(const Problem& problem, const dnnl::engine& engine, const OpenMp& openmp)
      : Plan(problem), openmp_(openmp) {
    const OneThread guard(openmp_);  // primitives are made for the number of threads that their maker has
    for (const std::int64_t queries : tile_queries)
      for (const std::int64_t keys : block_keys) {
        steps_.emplace_back(engine, problem, TileSize{queries, keys});
        onednn_bytes_ = std::max(onednn_bytes_, steps_.back().scratch_bytes());
      }
  }

  std::size_t workspace_bytes(const Extents&, int num_threads) const noexcept override {
    return static_cast<std::size_t>(num_threads) * scratch(nullptr).bytes;
  }

  Status execute(const Arguments& arguments, std::span<std::byte> workspace,
                 Executor& executor) const noexcept override;

  std::string describe(const Extents&, int num_threads) const override {
    return "oneDNN matmul, exp, matmul on tiles of up to " + std::to_string(tile_queries.back()) + " queries and " +
           std::to_string(block_keys.back()) + " keys in f32, on " + std::to_string(num_threads) +
           " threads of the executor, oneDNN on one in each";
  }

 private:
  Scratch scratch(std::byte* memory) const noexcept { return {memory, problem(), onednn_bytes_}; }
  bool run_tile(const TileRows& rows, const Scratch& scratch) const;
  bool run_block(const TileRows& rows, std::int64_t first_key, std::int64_t count, Softmax& softmax, BoundSteps& steps,
                 std::int64_t size, const Scratch& scratch) const noexcept;

  OpenMp openmp_;
  std::vector<Steps> steps_;  // [tile_queries][block_keys]
  std::size_t onednn_bytes_ = 0;
};

void read_queries(const TileRows& rows, float* to) noexcept {
  const Arguments& a = rows.arguments;
  const auto& strides = a.query.strides;
  for (std::int64_t row = 0; row < rows.count; ++row) {
    const std::int64_t query = rows.member.first_query + rows.query(row);
    read_row(a.query, rows.member.batch * strides[0] + rows.head(row) * strides[1] + query * strides[2], a.head_dim,
             to + row * a.head_dim);
  }
}

/// Keys, or their values, first … first + count − 1 of the tile's head.
Rows block_rows(const TensorView& tensor, const TileRows& rows, std::int64_t first, std::int64_t count,
                std::int64_t dim) noexcept {
  const auto& strides = tensor.strides;
  return {tensor,
          rows.member.batch * strides[0] + rows.kv_head * strides[1] + (rows.member.first_key + first) * strides[2],
          strides[2], count, dim};
}

/// The product took 0 for values that are not finite, because 0 · NaN would have reached rows that do not attend them.
/// Here those who do get them.
void add_values_not_finite(const Rows& value, const TileRows& rows, const float* weights, std::int64_t size,
                           float* out) noexcept {
  for (std::int64_t j = 0; j < value.count; ++j)
    for (std::int64_t d = 0; d < value.dim; ++d) {
      const double x = naive::load(value.tensor, value.first + j * value.stride + d * value.tensor.strides[3]);
      if (x - x == 0) continue;
      for (std::int64_t row = 0; row < rows.count; ++row)
        if (weights[row * size + j] != 0) out[row * value.dim + d] += weights[row * size + j] * static_cast<float>(x);
    }
}

/// One block of keys; `size` is what the steps are made for.
bool OneDnnPlan::run_block(const TileRows& rows, std::int64_t first_key, std::int64_t count, Softmax& softmax,
                           BoundSteps& steps, std::int64_t size, const Scratch& scratch) const noexcept {
  const Arguments& a = rows.arguments;
  float* const scores = scratch.tile.scores;
  if (!steps.multiply_keys(read_block(block_rows(a.key, rows, first_key, count, a.head_dim), size, scratch.key)))
    return false;
  if (a.softcap > 0) {
    softmax.scale_for_tanh(scores, size);
    if (!steps.tanh()) return false;
  }
  softmax.shift(scores, first_key, size);
  if (!steps.exp()) return false;
  softmax.add(scores, size);

  const Rows rows_of_value = block_rows(a.value, rows, first_key, count, a.value_dim);
  const float* value = read_block(rows_of_value, size, scratch.value);
  const bool finite = all_finite(value, size * a.value_dim);
  if (!finite) {
    if (value != scratch.value) std::copy(value, value + size * a.value_dim, scratch.value);
    zero_what_is_not_finite(scratch.value, size * a.value_dim);
    value = scratch.value;
  }
  if (!steps.multiply_values(value)) return false;
  if (!finite) add_values_not_finite(rows_of_value, rows, scores, size, scratch.tile.out);
  return true;
}

bool OneDnnPlan::run_tile(const TileRows& rows, const Scratch& scratch) const {
  const std::size_t tile = tile_for(rows.count);
  const std::int64_t queries = tile_queries[tile];
  read_queries(rows, scratch.tile.query);
  std::fill(scratch.tile.query + rows.count * problem().head_dim, scratch.tile.query + queries * problem().head_dim,
            0.0f);
  Softmax softmax(rows, queries, scratch.statistics, scratch.tile.out);
  std::array<std::optional<BoundSteps>, block_keys.size()> steps;  // bound when they are first needed
  const KeyRange keys = rows.keys();
  for (std::int64_t first = 0; first < keys.end;) {
    const std::size_t block = block_for(rows.member.keys - first);
    const std::int64_t size = block_keys[block];
    const std::int64_t count = std::min(size, rows.member.keys - first);
    if (first + count > keys.begin) {
      if (!steps[block]) steps[block].emplace(steps_[tile * block_keys.size() + block], scratch.tile);
      if (!run_block(rows, first, count, softmax, *steps[block], size, scratch)) return false;
    }
    first += size;
  }
  softmax.finish();
  return true;
}

std::int64_t longest_queries(const Arguments& arguments) noexcept {
  std::int64_t longest = 0;
  for (std::int64_t b = 0; b < arguments.members; ++b) longest = std::max(longest, arguments.member(b).queries);
  return longest;
}

Status OneDnnPlan::execute(const Arguments& arguments, std::span<std::byte> workspace,
                           Executor& executor) const noexcept {
  const std::int64_t tiles = tiles_of(arguments.group() * longest_queries(arguments));
  const std::size_t stride = scratch(nullptr).bytes;
  std::atomic<bool> failed = false;
  const auto run = [&](std::int64_t item, int worker) noexcept {
    // The last tiles first: causal leaves them the most keys.
    const std::int64_t tile = tiles - 1 - item / (arguments.members * arguments.kv_heads);
    const std::int64_t head = item % (arguments.members * arguments.kv_heads);
    TileRows rows{.arguments = arguments,
                  .member_index = head / arguments.kv_heads,
                  .member = arguments.member(head / arguments.kv_heads),
                  .kv_head = head % arguments.kv_heads,
                  .first = tile * tile_queries.back()};
    rows.count = std::min(arguments.group() * rows.member.queries - rows.first, tile_queries.back());
    if (rows.count <= 0) return;
    const OneThread guard(openmp_);
    try {
      if (!run_tile(rows, scratch(workspace.data() + static_cast<std::size_t>(worker) * stride))) failed = true;
    } catch (const std::exception&) {  // oneDNN's objects need memory of their own
      failed = true;
    }
  };
  InlineExecutor caller;
  const double rows = static_cast<double>(arguments.members * arguments.heads * longest_queries(arguments));
  const double work =
      2 * rows * static_cast<double>(arguments.key.shape[2] * (problem().head_dim + problem().value_dim));
  (work < min_parallel_flops ? caller : executor).parallel_for(arguments.members * arguments.kv_heads * tiles, run);
  return failed ? Status::failed : Status::ok;
}

bool takes(DType dtype) noexcept { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

class OneDnnBackend final : public Backend {
 public:
  OneDnnBackend()
      : openmp_(OpenMp::of_onednn()),
        refusal_(why_threads_cannot_be_set(openmp_)),
        engine_(dnnl::engine::kind::cpu, 0),
        description_("oneDNN " + std::to_string(dnnl_version()->major) + "." + std::to_string(dnnl_version()->minor) +
                     ": matmul, streaming softmax, matmul, parallel over tiles") {}

  std::string_view name() const noexcept override { return "onednn"; }
  std::string_view description() const noexcept override { return description_; }
  bool parallel() const noexcept override { return true; }
  TraitSet traits() const noexcept override { return TraitSet::all(); }

  bool supports(const Problem& problem, const Extents&, std::string* reason) const override {
    if (!refusal_.empty()) return refuse(reason, refusal_);
    for (const DType dtype : {problem.query_dtype, problem.key_dtype, problem.value_dtype, problem.out_dtype})
      if (!takes(dtype)) return refuse(reason, "takes f32, f16 and bf16 tensors only: oneDNN multiplies no f64");
    if (problem.mask == MaskKind::f64) return refuse(reason, "takes no f64 mask: its scores are f32");
    if (problem.weights) return refuse(reason, "cannot give the weights: it divides after the product with the values");
    if (problem.block_mask) return refuse(reason, "takes no block_mask: it would compute what the map leaves out");
    return true;
  }

  double estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                  int threads) const noexcept override {
    const bool wide = machine.isa == Isa::avx512 || machine.isa == Isa::avx512_bf16;
    const double per_thread = wide ? 8e10 : machine.isa == Isa::avx2 ? 5e10 : 1e10;  // flops per second
    constexpr double per_tile = 1e-5;                                                // oneDNN's objects, the copies
    const double tiles =
        static_cast<double>(extents.batch * problem.kv_heads * tiles_of(problem.group() * extents.queries));
    return (flops(problem, extents) / per_thread + tiles * per_tile) / threads;
  }

  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine&) const override {
    try {
      return std::make_shared<OneDnnPlan>(problem, engine_, openmp_);
    } catch (const dnnl::error& error) {
      throw Error(ErrorCode::backend_failed, std::string("oneDNN cannot make the primitives: ") + error.what());
    }
  }

 private:
  OpenMp openmp_;
  std::string refusal_;
  dnnl::engine engine_;
  std::string description_;
};

}  // namespace
}  // namespace attune::onednn

using attune::onednn::OneDnnBackend;
ATTUNE_PLUGIN(OneDnnBackend)
