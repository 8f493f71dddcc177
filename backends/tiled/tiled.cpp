// Attention in one pass over the keys. A work item holds a few query tiles of one (member, kv head) and walks the
// blocks of keys once: outside the blocks, inside the tiles, so that a block that was read from memory serves
// tiles_per_item · lanes queries from L2. Per tile and block it computes
//   scores = K·Qᵀ (in L1: 128 keys · 32 lanes · 4 bytes = 16 KB), the running softmax, out += Vᵀ·Pᵀ,
// and nothing that grows with the number of keys is ever stored. 4·D operations for each pair of query and key against
// 8·D/(tiles·lanes) bytes read from memory.
// Source: Dao et al., "FlashAttention", 2022; Rabe and Staats, "Self-attention Does Not Need O(n²) Memory", 2021.
#include "backends/tiled/tiled.hpp"

#include <algorithm>
#include <string>

#include "backends/tiled/work_list.hpp"
#include "backends/tiles/capability.hpp"
#include "backends/tiles/key_block.hpp"
#include "backends/tiles/query_tile.hpp"

namespace attune {
namespace {

using kernels::Kernels;
using tiled::Item;
using tiled::max_tiles_per_item;
using tiled::WorkList;
using tiles::KeyBlock;
using tiles::QueryTile;

/// Where the parts of a worker's scratch lie, in floats; each a multiple of 16.
struct Scratch {
  std::size_t tile;      // one of max_tiles_per_item
  std::size_t scores;    // [keys of a block][lanes]
  std::size_t row_max;   // [lanes]
  std::size_t copy;      // of a block whose elements are strided

  std::size_t total() const noexcept { return max_tiles_per_item * tile + scores + row_max + copy; }
};

/// Are the products over so many pairs of query and key in each head worth waking other threads?
bool worth_threads(const Problem& problem, double pairs) noexcept {
  return 2.0 * pairs * static_cast<double>(problem.heads * (problem.head_dim + problem.value_dim)) >=
         tiled::min_parallel_flops;
}

bool worth_threads(const Problem& problem, const Extents& extents) noexcept {
  return worth_threads(problem, static_cast<double>(extents.total_queries) * static_cast<double>(extents.keys));
}

class TiledPlan final : public Plan {
 public:
  TiledPlan(const Problem& problem, Isa isa, const Kernels& kernels)
      : Plan(problem, isa),
        kernels_(kernels),
        block_keys_(tiles::keys_per_block(kernels.key_rows, problem.head_dim, problem.value_dim)),
        scratch_{QueryTile::scratch_floats(kernels, problem.head_dim, problem.value_dim),
                 static_cast<std::size_t>(block_keys_ * kernels.lanes), tiles::max_lanes,
                 tiles::key_block_floats(block_keys_, problem.head_dim, problem.value_dim)} {}

  std::size_t workspace_bytes(const Extents&, int num_threads) const noexcept override {
    return scratch_.total() * sizeof(float) * static_cast<std::size_t>(num_threads);
  }

  Status execute(const Arguments& arguments, std::span<std::byte> workspace,
                 Executor& executor) const noexcept override;

  std::string describe(const Extents& extents, int num_threads) const override;

 private:
  void run_item(const Arguments& arguments, const Item& item, int tile_count, float* scratch) const noexcept;
  void redo_carefully(const Arguments& arguments, const tiles::HeadRows& head, QueryTile& tile,
                      float* scratch) const noexcept;
  void attend(QueryTile& tile, const KeyBlock& block, bool careful, float* scratch) const noexcept;
  WorkList work_list(std::int64_t members, std::int64_t longest_queries, int threads) const noexcept;

  const Kernels& kernels_;
  std::int64_t block_keys_;
  Scratch scratch_;
};

WorkList TiledPlan::work_list(std::int64_t members, std::int64_t longest_queries, int threads) const noexcept {
  const Problem& p = problem();
  return {{members, p.kv_heads, p.group() * longest_queries, kernels_.lanes, threads}, p.causal};
}

Status TiledPlan::execute(const Arguments& arguments, std::span<std::byte> workspace,
                          Executor& executor) const noexcept {
  std::int64_t longest_queries = 0;
  double pairs = 0;  // of one head
  for (std::int64_t b = 0; b < arguments.members; ++b) {
    const Member member = arguments.member(b);
    longest_queries = std::max(longest_queries, member.queries);
    pairs += static_cast<double>(member.queries) * static_cast<double>(member.keys);
  }
  InlineExecutor caller;
  Executor& chosen = worth_threads(problem(), pairs) ? executor : caller;

  const WorkList work = work_list(arguments.members, longest_queries, chosen.num_threads());
  auto* scratch = reinterpret_cast<float*>(workspace.data());
  const auto run = [&](std::int64_t item, int worker) noexcept {
    run_item(arguments, work[item], work.tiles_per_item(), scratch + static_cast<std::size_t>(worker) * scratch_.total());
  };
  chosen.parallel_for(work.size(), run);
  return Status::ok;
}

void TiledPlan::run_item(const Arguments& arguments, const Item& item, int tile_count, float* scratch) const noexcept {
  const tiles::HeadRows head = tiles::head_rows(arguments, item.member, item.kv_head);
  QueryTile tile[max_tiles_per_item];
  int open = 0;
  KeyRange keys{head.member.keys, 0};
  for (std::int64_t row = item.first_row; open < tile_count && row < head.count; row += kernels_.lanes) {
    tile[open].open(kernels_, arguments, head, row, scratch + static_cast<std::size_t>(open) * scratch_.tile);
    const KeyRange range = tile[open].keys();
    if (range.begin < range.end) keys = {std::min(keys.begin, range.begin), std::max(keys.end, range.end)};
    ++open;
  }

  float* shared = scratch + max_tiles_per_item * scratch_.tile;
  float* copy = shared + scratch_.scores + scratch_.row_max;
  for (std::int64_t first = tiles::first_block(keys, block_keys_); first < keys.end; first += block_keys_) {
    const KeyBlock block = tiles::key_block(arguments, head.member, item.kv_head, first,
                                            std::min(block_keys_, keys.end - first), copy);
    for (int i = 0; i < open; ++i) attend(tile[i], block, false, shared);
  }
  for (int i = 0; i < open; ++i) {
    if (!tile[i].finite()) redo_carefully(arguments, head, tile[i], shared);
    tile[i].close();
  }
}

void TiledPlan::redo_carefully(const Arguments& arguments, const tiles::HeadRows& head, QueryTile& tile,
                               float* shared) const noexcept {
  tile.reset();
  const KeyRange keys = tile.keys();
  float* copy = shared + scratch_.scores + scratch_.row_max;
  for (std::int64_t first = tiles::first_block(keys, block_keys_); first < keys.end; first += block_keys_) {
    const KeyBlock block = tiles::key_block(arguments, head.member, head.kv_head, first,
                                            std::min(block_keys_, keys.end - first), copy);
    attend(tile, block, true, shared);
  }
}

void TiledPlan::attend(QueryTile& tile, const KeyBlock& block, bool careful, float* shared) const noexcept {
  const KeyRange keys = tile.keys();
  if (block.first >= keys.end || block.end() <= keys.begin) return;
  float* scores = shared;
  float* row_max = shared + scratch_.scores;
  const std::int64_t count = tile.score(block, scores, row_max);
  tile.softmax(scores, count, row_max, careful);
  tile.add_values(scores, count, block, careful);
}

std::string TiledPlan::describe(const Extents& extents, int num_threads) const {
  const int threads = worth_threads(problem(), extents) ? num_threads : 1;
  const WorkList work = work_list(extents.batch, extents.queries, threads);
  return std::string("streaming softmax; ") + kernels_.name + " tiles of " + std::to_string(kernels_.lanes) +
         " queries, blocks of " + std::to_string(block_keys_) + " keys; " + std::to_string(work.size()) + " items of " +
         std::to_string(work.tiles_per_item()) + " tiles on " + std::to_string(threads) + " threads; workspace " +
         std::to_string(workspace_bytes(extents, num_threads)) + " bytes";
}

class TiledBackend final : public Backend {
 public:
  std::string_view name() const noexcept override { return "tiled"; }
  std::string_view description() const noexcept override {
    return "streaming softmax over SIMD tiles, parallel, O(n) memory";
  }
  std::vector<Isa> instruction_sets() const override { return tiles::instruction_sets(); }
  bool parallel() const noexcept override { return true; }

  bool supports(const Problem& problem, const Extents&, std::string* reason) const override {
    if (problem.weights) return refuse(reason, "streams over the keys and never holds a whole row of weights");
    return tiles::supports(problem, reason);
  }

  double estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                  int threads) const noexcept override {
    const double alone = tiles::estimate_seconds(problem, extents, machine);
    if (threads == 1 || !worth_threads(problem, extents)) return alone;
    constexpr double wake_seconds = 5e-6;
    return wake_seconds + alone / threads;
  }

  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine& machine) const override {
    return std::make_shared<TiledPlan>(problem, machine.isa, tiles::kernels_for(machine));
  }
};

}  // namespace

std::unique_ptr<Backend> make_tiled() { return std::make_unique<TiledBackend>(); }

}  // namespace attune
