// Attention in one pass over the keys. A work item holds a few query tiles of one (member, kv head) and walks the
// blocks of keys once: outside the blocks, inside the tiles, so that a block that was read from memory serves
// tiles_per_item · lanes queries from L2. Per tile and block it computes
//   scores = K·Qᵀ (in L1: 128 keys · 32 lanes · 4 bytes = 16 KB), the running softmax, out += Vᵀ·Pᵀ,
// and nothing that grows with the number of keys is ever stored. 4·D operations for each pair of query and key against
// 8·D/(tiles·lanes) bytes read from memory.
//
// Decode has too few queries for that: a group's heads fill one tile, every key is read once, and memory is the limit.
// Its keys are split into chunks, an item each, whose states are joined in order afterwards. Source: Dao et al.,
// "FlashAttention", 2022; Rabe and Staats, "Self-attention Does Not Need O(n²) Memory", 2021; Dao et al.,
// "Flash-Decoding for long-context inference", 2023.
#include "backends/tiled/tiled.hpp"

#include <algorithm>
#include <string>

#include "backends/tiled/work_list.hpp"
#include "backends/tiles/capability.hpp"
#include "backends/tiles/key_block.hpp"
#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/rows.hpp"
#include "backends/tiles/scratch.hpp"

namespace attune {
namespace {

using kernels::Kernels;
using tiled::Item;
using tiled::max_tiles_per_item;
using tiled::WorkList;
using tiles::HeadRows;
using tiles::KeyBlock;
using tiles::QueryTile;
using tiles::Scratch;
using tiles::TileState;

/// Are the products over so many pairs of query and key in each head worth waking other threads?
bool worth_threads(const Problem& problem, double pairs) noexcept {
  return 2.0 * pairs * static_cast<double>(problem.heads * (problem.head_dim + problem.value_dim)) >=
         tiled::min_parallel_flops;
}

bool worth_threads(const Problem& problem, const Extents& extents) noexcept {
  return worth_threads(problem, static_cast<double>(extents.total_queries) * static_cast<double>(extents.keys));
}

/// What a call's members have in common for the division of work.
struct Survey {
  std::int64_t longest_queries = 0;  // of the members whose keys are not split
  std::int64_t most_chunks = 0;      // of those whose keys are
  double pairs = 0;                  // of one head
};

class TiledPlan final : public Plan {
 public:
  TiledPlan(const Problem& problem, Isa isa, const Kernels& kernels)
      : Plan(problem, isa),
        kernels_(kernels),
        block_keys_(tiles::keys_per_block(kernels.key_rows, problem.head_dim, problem.value_dim)),
        scratch_(kernels, problem,
                 {.tiles = max_tiles_per_item,
                  .block_keys = block_keys_,
                  .score_keys = block_keys_,
                  .copied_keys = block_keys_}) {}

  std::size_t workspace_bytes(const Extents& extents, int num_threads) const noexcept override {
    const auto threads = static_cast<std::size_t>(num_threads);
    return sizeof(float) * (scratch_.floats() * threads + chunk_floats() * chunk_count(extents));
  }

  Status execute(const Arguments& arguments, std::span<std::byte> workspace,
                 Executor& executor) const noexcept override;

  std::string describe(const Extents& extents, int num_threads) const override;

 private:
  Survey survey(const Arguments& arguments) const noexcept;
  WorkList work_list(std::int64_t members, std::int64_t longest_queries, int threads) const noexcept;
  bool splits(const HeadRows& head) const noexcept {
    return tiled::splits_keys(head.count, kernels_.lanes, head.member.keys, block_keys_);
  }

  // Whole rows: tiles walk all their keys.
  void run_item(const Arguments& arguments, const Item& item, int tile_count, float* memory) const noexcept;
  void walk(const Arguments& arguments, const HeadRows& head, std::span<QueryTile> tiles, KeyRange keys, bool careful,
            const Scratch& shared) const noexcept;
  void write_weights(const Arguments& arguments, const HeadRows& head, const QueryTile& tile,
                     const Scratch& shared) const noexcept;

  // Decode: one tile, its keys split.
  void run_chunks(const Arguments& arguments, std::int64_t most_chunks, float* memory, float* states,
                  Executor& executor) const noexcept;
  void run_chunk(const Arguments& arguments, const HeadRows& head, std::int64_t chunk, float* memory,
                 const TileState& result) const noexcept;
  void join_chunks(const Arguments& arguments, const HeadRows& head, float* memory, float* states) const noexcept;
  std::int64_t chunk_size(std::int64_t keys) const noexcept { return tiled::keys_per_chunk(keys, block_keys_); }
  KeyRange chunk_keys(const HeadRows& head, std::int64_t chunk) const noexcept;
  std::size_t chunk_floats() const noexcept { return tiles::padded_floats((problem().value_dim + 2) * kernels_.lanes); }
  std::size_t chunk_count(const Extents& extents) const noexcept;
  TileState chunk_state(float* states, std::int64_t index) const noexcept;

  const Kernels& kernels_;
  std::int64_t block_keys_;
  tiles::ScratchLayout scratch_;
};

std::int64_t divide_up(std::int64_t a, std::int64_t b) noexcept { return (a + b - 1) / b; }

WorkList TiledPlan::work_list(std::int64_t members, std::int64_t longest_queries, int threads) const noexcept {
  const Problem& p = problem();
  return {{members, p.kv_heads, p.group() * longest_queries, kernels_.lanes, threads}, p.causal};
}

Survey TiledPlan::survey(const Arguments& arguments) const noexcept {
  Survey result;
  for (std::int64_t b = 0; b < arguments.members; ++b) {
    const HeadRows head = tiles::head_rows(arguments, b, 0);
    const std::int64_t keys = head.member.keys;
    if (splits(head))
      result.most_chunks = std::max(result.most_chunks, divide_up(keys, chunk_size(keys)));
    else
      result.longest_queries = std::max(result.longest_queries, head.member.queries);
    result.pairs += static_cast<double>(head.member.queries) * static_cast<double>(keys);
  }
  return result;
}

Status TiledPlan::execute(const Arguments& arguments, std::span<std::byte> workspace,
                          Executor& executor) const noexcept {
  const Survey found = survey(arguments);
  InlineExecutor caller;
  Executor& chosen = worth_threads(problem(), found.pairs) ? executor : caller;
  auto* memory = reinterpret_cast<float*>(workspace.data());

  const WorkList work = work_list(arguments.members, found.longest_queries, chosen.num_threads());
  const auto run = [&](std::int64_t item, int worker) noexcept {
    run_item(arguments, work[item], work.tiles_per_item(),
             memory + static_cast<std::size_t>(worker) * scratch_.floats());
  };
  chosen.parallel_for(work.size(), run);
  if (found.most_chunks > 0) {
    float* states = memory + static_cast<std::size_t>(executor.num_threads()) * scratch_.floats();
    run_chunks(arguments, found.most_chunks, memory, states, chosen);
  }
  return Status::ok;
}

void TiledPlan::run_item(const Arguments& arguments, const Item& item, int tile_count, float* memory) const noexcept {
  const HeadRows head = tiles::head_rows(arguments, item.member, item.kv_head);
  if (splits(head)) return;
  const Scratch shared = scratch_.shared(memory);
  QueryTile tile[max_tiles_per_item];
  int open = 0;
  KeyRange keys{head.member.keys, 0};
  for (std::int64_t row = item.first_row; open < tile_count && row < head.count; row += kernels_.lanes) {
    tile[open].open(kernels_, arguments, head, row, scratch_.tile(memory, open), shared);
    const KeyRange range = tile[open].keys();
    if (range.begin < range.end) keys = {std::min(keys.begin, range.begin), std::max(keys.end, range.end)};
    ++open;
  }
  walk(arguments, head, {tile, static_cast<std::size_t>(open)}, keys, false, shared);
  for (int i = 0; i < open; ++i) {
    if (!tile[i].finite()) {
      tile[i].reset(true);
      walk(arguments, head, {tile + i, 1}, tile[i].keys(), true, shared);
    }
    tile[i].close();
    if (arguments.weights.data != nullptr) write_weights(arguments, head, tile[i], shared);
  }
}

/// Takes the tiles over the blocks of these keys.
void TiledPlan::walk(const Arguments& arguments, const HeadRows& head, std::span<QueryTile> tiles, KeyRange keys,
                     bool careful, const Scratch& shared) const noexcept {
  for (std::int64_t first = tiles::first_block(keys, block_keys_); first < keys.end; first += block_keys_) {
    const KeyRange range{first, std::min(first + block_keys_, keys.end)};
    const auto wants = [&range](const QueryTile& tile) { return tile.wants(range); };
    if (std::none_of(tiles.begin(), tiles.end(), wants)) continue;
    const KeyBlock block = tiles::key_block(kernels_, arguments, head.member, head.kv_head, range.begin,
                                            range.end - range.begin, static_cast<int>(tiles.size()), shared.copy);
    for (QueryTile& tile : tiles) tile.attend(block, careful);
  }
}

/// A second pass over the keys, when maximum and sum are known: the weights themselves are the only O(n²) memory.
void TiledPlan::write_weights(const Arguments& arguments, const HeadRows& head, const QueryTile& tile,
                              const Scratch& shared) const noexcept {
  tile.clear_weights();
  const KeyRange keys = tile.keys();
  for (std::int64_t first = tiles::first_block(keys, block_keys_); first < keys.end; first += block_keys_) {
    const std::int64_t count = std::min(block_keys_, keys.end - first);
    const KeyBlock part =
        tile.part_of(tiles::key_block(kernels_, arguments, head.member, head.kv_head, first, count, 1, shared.copy));
    if (part.count == 0) continue;
    tile.recompute_weights(part, shared.scores);
    tile.write_weights(part, shared.scores);
  }
}

std::size_t TiledPlan::chunk_count(const Extents& extents) const noexcept {
  // Any member may be as long as the longest, or just short enough for small chunks.
  if (problem().group() * extents.queries == 0 || extents.keys == 0) return 0;
  const std::int64_t small = chunk_size(1);
  const std::int64_t most_in_small = divide_up(std::min(extents.keys, 8 * small), small);
  const std::int64_t chunks = std::max(divide_up(extents.keys, chunk_size(extents.keys)), most_in_small);
  const bool may_split = extents.queries * problem().group() <= kernels_.lanes || problem().cu_seqlens;
  return may_split ? static_cast<std::size_t>(extents.batch * problem().kv_heads * chunks) : 0;
}

TileState TiledPlan::chunk_state(float* states, std::int64_t index) const noexcept {
  float* memory = states + static_cast<std::size_t>(index) * chunk_floats();
  float* m = memory + problem().value_dim * kernels_.lanes;
  return {memory, m, m + kernels_.lanes};
}

KeyRange TiledPlan::chunk_keys(const HeadRows& head, std::int64_t chunk) const noexcept {
  const std::int64_t size = chunk_size(head.member.keys);
  return {chunk * size, std::min((chunk + 1) * size, head.member.keys)};
}

void TiledPlan::run_chunks(const Arguments& arguments, std::int64_t most_chunks, float* memory, float* states,
                           Executor& executor) const noexcept {
  const std::int64_t heads = arguments.members * arguments.kv_heads;
  const auto head_of = [&](std::int64_t index) {
    return tiles::head_rows(arguments, index / arguments.kv_heads, index % arguments.kv_heads);
  };
  const auto compute = [&](std::int64_t item, int worker) noexcept {
    const HeadRows head = head_of(item / most_chunks);
    const std::int64_t chunk = item % most_chunks;
    if (!splits(head) || head.count == 0 || chunk_keys(head, chunk).begin >= head.member.keys) return;
    run_chunk(arguments, head, chunk, memory + static_cast<std::size_t>(worker) * scratch_.floats(),
              chunk_state(states, item));
  };
  executor.parallel_for(heads * most_chunks, compute);
  const auto join = [&](std::int64_t item, int worker) noexcept {
    const HeadRows head = head_of(item);
    if (!splits(head) || head.count == 0) return;
    join_chunks(arguments, head, memory + static_cast<std::size_t>(worker) * scratch_.floats(),
                states + static_cast<std::size_t>(item * most_chunks) * chunk_floats());
  };
  executor.parallel_for(heads, join);
}

void TiledPlan::run_chunk(const Arguments& arguments, const HeadRows& head, std::int64_t chunk, float* memory,
                          const TileState& result) const noexcept {
  const Scratch shared = scratch_.shared(memory);
  QueryTile tile;
  tile.open(kernels_, arguments, head, 0, scratch_.tile(memory, 0), shared);
  tile.reset(false);
  walk(arguments, head, {&tile, 1}, chunk_keys(head, chunk), false, shared);
  tile.save(result);
}

/// Joins the chunks' states in order; one with something that is not finite in it is computed again, carefully.
void TiledPlan::join_chunks(const Arguments& arguments, const HeadRows& head, float* memory,
                            float* states) const noexcept {
  const Scratch shared = scratch_.shared(memory);
  const std::int64_t chunks = divide_up(head.member.keys, chunk_size(head.member.keys));
  QueryTile whole;
  whole.open(kernels_, arguments, head, 0, scratch_.tile(memory, 0), shared);
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    const TileState state = chunk_state(states, chunk);
    if (!kernels_.all_finite(state.out, arguments.value_dim, whole.vectors())) {
      QueryTile part;
      part.open(kernels_, arguments, head, 0, scratch_.tile(memory, 1), shared);
      part.reset(false);
      walk(arguments, head, {&part, 1}, chunk_keys(head, chunk), true, shared);
      part.save(state);
    }
    whole.absorb(state);
  }
  whole.close();
  if (arguments.weights.data != nullptr) write_weights(arguments, head, whole, shared);
}

std::string TiledPlan::describe(const Extents& extents, int num_threads) const {
  const int threads = worth_threads(problem(), extents) ? num_threads : 1;
  const std::string tile = std::string(kernels_.name) + " tiles of " + std::to_string(kernels_.lanes) + " queries";
  const std::string end = " on " + std::to_string(threads) + " threads; workspace " +
                          std::to_string(workspace_bytes(extents, num_threads)) + " bytes";
  if (tiled::splits_keys(problem().group() * extents.queries, kernels_.lanes, extents.keys, block_keys_)) {
    const std::int64_t chunk = chunk_size(extents.keys);
    return "decode; " + tile + ", keys split into " + std::to_string(divide_up(extents.keys, chunk)) + " chunks of " +
           std::to_string(chunk) + end;
  }
  const WorkList work = work_list(extents.batch, extents.queries, threads);
  return "streaming softmax; " + tile + ", blocks of " + std::to_string(block_keys_) + " keys; " +
         std::to_string(work.size()) + " items of " + std::to_string(work.tiles_per_item()) + " tiles" + end;
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
    return tiles::supports(problem, reason);
  }

  double estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                  int threads) const noexcept override {
    const double passes = problem.weights ? 1.5 : 1.0;  // the scores are computed twice
    const double alone = passes * tiles::estimate_seconds(problem, extents, machine);
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
