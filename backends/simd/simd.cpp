// Attention a tile of queries at a time, each with its whole score rows: scores = K·Qᵀ for all keys, one softmax,
// out = Vᵀ·Pᵀ. The rows of a tile take keys · lanes · 4 bytes (S = 1024 with 32 lanes: 128 KB, in L2), which is what
// bounds the lengths this is good at; in return nothing is ever rescaled and the weights are there to be written.
#include "backends/simd/simd.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "backends/tiles/capability.hpp"
#include "backends/tiles/key_block.hpp"
#include "backends/tiles/plain_tiles.hpp"
#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/scratch.hpp"

namespace attune {
namespace {

using kernels::Kernels;
using tiles::HeadRows;
using tiles::KeyBlock;
using tiles::KeyCut;
using tiles::PlainTiles;
using tiles::QueryTile;
using tiles::Scratch;

class SimdPlan final : public Plan {
 public:
  SimdPlan(const Problem& problem, Isa isa, const Kernels& kernels)
      : Plan(problem, isa),
        kernels_(kernels),
        block_keys_(tiles::KeyCut::most_keys(kernels.key_rows, problem.head_dim, problem.value_dim)) {}

  std::size_t workspace_bytes(const Extents& extents, int) const noexcept override {
    return sizeof(float) * layout(extents.keys).floats();
  }

  Status execute(const Arguments& arguments, std::span<std::byte> workspace, Executor&) const noexcept override;

  std::string describe(const Extents& extents, int num_threads) const override {
    return std::string("whole score rows; ") + kernels_.name + " tiles of " + std::to_string(kernels_.lanes) +
           " queries, blocks of at most " + std::to_string(block_keys_) + " keys; 1 thread; workspace " +
           std::to_string(workspace_bytes(extents, num_threads)) + " bytes";
  }

 private:
  tiles::ScratchLayout layout(std::int64_t keys) const noexcept {
    return {kernels_, problem(), {.tiles = 1, .block_keys = block_keys_, .score_keys = keys, .copied_keys = keys}};
  }
  void run_head(const Arguments& arguments, const PlainTiles& plain, const HeadRows& head, float* own,
                const Scratch& scratch) const noexcept;
  void run_tile(const Arguments& arguments, const HeadRows& head, const KeyBlock& all, const KeyCut& cut,
                std::int64_t row, float* own, const Scratch& scratch) const noexcept;
  template <typename Visit>
  void for_each_part(const QueryTile& tile, const KeyBlock& all, const KeyCut& cut, float* scores,
                     Visit visit) const noexcept;
  void compute(QueryTile& tile, const KeyBlock& all, const KeyCut& cut, bool careful,
               const Scratch& scratch) const noexcept;

  const Kernels& kernels_;
  std::int64_t block_keys_;
};

Status SimdPlan::execute(const Arguments& arguments, std::span<std::byte> workspace, Executor&) const noexcept {
  auto* memory = reinterpret_cast<float*>(workspace.data());
  std::int64_t longest = 0;
  for (std::int64_t member = 0; member < arguments.members; ++member)
    longest = std::max(longest, arguments.member(member).keys);
  const tiles::ScratchLayout memory_layout = layout(longest);
  const Scratch scratch = memory_layout.shared(memory);
  const PlainTiles plain(kernels_, arguments);
  for (std::int64_t member = 0; member < arguments.members; ++member)
    for (std::int64_t kv_head = 0; kv_head < arguments.kv_heads; ++kv_head)
      run_head(arguments, plain, tiles::head_rows(arguments, member, kv_head), memory_layout.tile(memory, 0), scratch);
  return Status::ok;
}

/// What has to be converted or copied of keys and values is, once for all tiles of the head.
void SimdPlan::run_head(const Arguments& arguments, const PlainTiles& plain, const HeadRows& head, float* own,
                        const Scratch& scratch) const noexcept {
  if (head.count == 0) return;
  const int users = static_cast<int>(std::min<std::int64_t>((head.count + kernels_.lanes - 1) / kernels_.lanes, 64));
  const KeyBlock all =
      tiles::key_block(kernels_, arguments, head.member, head.kv_head, 0, head.member.keys, users, scratch.copy);
  const KeyCut cut({0, all.count}, kernels_.key_rows, problem().head_dim, problem().value_dim);
  const bool is_plain = cut.one_block() && plain.suits(all);
  for (std::int64_t row = 0; row < head.count; row += kernels_.lanes)
    if (!is_plain || !plain.attend(head, row, all, {}, own, scratch))
      run_tile(arguments, head, all, cut, row, own, scratch);
}

void SimdPlan::run_tile(const Arguments& arguments, const HeadRows& head, const KeyBlock& all, const KeyCut& cut,
                        std::int64_t row, float* own, const Scratch& scratch) const noexcept {
  QueryTile tile;
  tile.open(kernels_, arguments, head, row, own, scratch);
  tile.write_at_once();
  compute(tile, all, cut, false, scratch);
  tile.close([&] { compute(tile, all, cut, true, scratch); });
  if (arguments.weights.data == nullptr) return;
  tile.clear_weights();
  for_each_part(tile, all, cut, scratch.scores, [&](const KeyBlock& part, float* weights) {
    if (!tile.keeps_weights()) tile.recompute_weights(part, weights);
    tile.write_weights(part, weights);
  });
}

/// Calls visit(part, scores) for what the tile attends of each block; the parts' scores follow each other.
template <typename Visit>
void SimdPlan::for_each_part(const QueryTile& tile, const KeyBlock& all, const KeyCut& cut, float* scores,
                             Visit visit) const noexcept {
  const KeyRange keys = tile.keys();
  for (KeyRange range = cut.first(keys); range.begin < keys.end; range = cut.next(range, keys)) {
    const KeyBlock part = tile.part_of(all.part(range.begin, range.end));
    if (part.count == 0) continue;
    visit(part, scores);
    scores += part.count * kernels_.lanes;
  }
}

void SimdPlan::compute(QueryTile& tile, const KeyBlock& all, const KeyCut& cut, bool careful,
                       const Scratch& scratch) const noexcept {
  const KeyRange keys = tile.keys();
  if (keys.begin >= keys.end) return;
  if (const KeyRange block = cut.first(keys); block.end >= keys.end) {
    tile.attend(all.part(block.begin, block.end), careful, {});
    return;
  }
  alignas(64) float row_max[tiles::max_lanes];
  bool first = true;
  for_each_part(tile, all, cut, scratch.scores, [&](const KeyBlock& part, float* scores) {
    tile.score(part, {}, scores, first ? row_max : scratch.row_max);
    for (int lane = 0; lane < kernels_.lanes && !first; ++lane)
      row_max[lane] = std::max(row_max[lane], scratch.row_max[lane]);
    first = false;
  });
  // Part by part under the maximum of all: a sum over thousands of weights in one chain would drift.
  for_each_part(tile, all, cut, scratch.scores, [&](const KeyBlock& part, float* scores) {
    tile.softmax(scores, part.count, row_max, careful);
    tile.add_values(scores, part, careful, {});
  });
}

class SimdBackend final : public Backend {
 public:
  std::string_view name() const noexcept override { return "simd"; }
  std::string_view description() const noexcept override {
    return "SIMD tiles with whole score rows, one thread; offers the weights";
  }
  std::vector<Isa> instruction_sets() const override { return tiles::instruction_sets(); }
  TraitSet traits() const noexcept override { return TraitSet::all(); }

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
  // In a single block there is nothing to stream; over several, streaming fetches ahead what this waits for.
  constexpr std::int64_t single_block = 32;
  const double relative = extents.keys <= single_block ? 0.98 : 1.03;
  const double seconds = relative * slower * tiles::estimate_seconds(problem, extents, machine);
  // Keys and values that no cache holds are waited for, as nothing is fetched ahead here: all of them where rows are
  // few, since such a call is one of many, and what comes in between uses the cache.
  constexpr std::int64_t few_rows = 32;
  const bool few = problem.group() * extents.queries <= few_rows && extents.keys > single_block;
  const std::size_t cache = few ? machine.l2_bytes : machine.l3_bytes;
  const double reading = tiles::estimate_reading_seconds(problem, extents, 1);
  if (tiles::key_value_bytes(problem, extents) >= static_cast<double>(cache) / 2) return seconds + reading;
  return few ? std::max(seconds, 1.2 * reading) : seconds;
}

}  // namespace

std::unique_ptr<Backend> make_simd() { return std::make_unique<SimdBackend>(); }

}  // namespace attune
