// Attention in one pass over the keys. A work item holds a few query tiles of one (member, kv head) and walks the
// blocks of keys once: outside the blocks, inside the tiles, so that a block that was read from memory serves
// tiles_per_item · lanes queries from L2. Per tile and block it computes
//   scores = K·Qᵀ (in L1 or L2: 256 keys · 32 lanes · 4 bytes = 32 KB), the running softmax, out += Vᵀ·Pᵀ,
// and nothing that grows with the number of keys is ever stored. 4·D operations for each pair of query and key against
// 8·D/(tiles·lanes) bytes read from memory.
//
// Members with too few queries for that are left to decode.hpp. Source: Dao et al., "FlashAttention", 2022; Rabe and
// Staats, "Self-attention Does Not Need O(n²) Memory", 2021.
#include "backends/tiled/tiled.hpp"

#include <algorithm>
#include <string>

#include "backends/kernels/instruction_sets.hpp"
#include "backends/tiled/decode.hpp"
#include "backends/tiled/walk.hpp"
#include "backends/tiled/work_list.hpp"
#include "backends/tiles/capability.hpp"
#include "backends/tiles/key_block.hpp"
#include "backends/tiles/plain_tiles.hpp"
#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/rows.hpp"
#include "backends/tiles/scratch.hpp"

namespace attune {
namespace {

using kernels::Kernels;
using tiled::Decode;
using tiled::Item;
using tiled::KeyWalk;
using tiled::max_tiles_per_item;
using tiled::Tiling;
using tiled::WorkList;
using tiles::HeadRows;
using tiles::PlainTiles;
using tiles::QueryTile;
using tiles::Scratch;

/// Are the products over so many pairs of query and key in each head worth waking other threads?
bool worth_threads(const Problem& problem, double pairs) noexcept {
  return 2.0 * pairs * static_cast<double>(problem.heads * (problem.head_dim + problem.value_dim)) >=
         tiled::min_parallel_flops;
}

bool worth_threads(const Problem& problem, const Extents& extents) noexcept {
  return worth_threads(problem, static_cast<double>(extents.total_queries) * static_cast<double>(extents.keys));
}

/// Of the head's keys and values.
std::int64_t key_value_bytes(const Arguments& arguments, const HeadRows& head) noexcept {
  const auto element = static_cast<std::int64_t>(size_of(arguments.key.dtype));
  return head.member.keys * element * (arguments.head_dim + arguments.value_dim);
}

/// What a call's members have in common for the division of work.
struct Survey {
  std::int64_t longest_queries = 0;  // of the members whose keys are not split
  bool alike = true;                 // are all of them as long, with as many keys, and none split?
  std::int64_t most_chunks = 0;      // of those whose keys are
  double pairs = 0;                  // of one head
};

/// The beginning of an item, to be fetched while another one is computed: in short sequences every operand is cold.
struct Following {
  tiles::BlockAhead block;
  kernels::Ahead queries;
};

/// What the items of a call have in common.
struct Call {
  const Arguments& arguments;
  const WorkList& work;
  int threads;
  PlainTiles plain;
};

class TiledPlan final : public Plan {
 public:
  TiledPlan(const Problem& problem, const Machine& machine, const Tiling& tiling)
      : Plan(problem, machine.isa),
        kernels_(tiles::kernels_for(machine)),
        grain_(tiling.grain),
        unasked_bytes_(tiled::reads_in_order(machine) ? static_cast<std::int64_t>(machine.l1_bytes) : 0),
        kept_bytes_(tiled::reads_in_order(machine) ? static_cast<std::int64_t>(machine.l2_bytes / 2) : 0),
        rows_in_cache_(tiled::rows_in_cache(problem.head_dim, problem.value_dim, machine.l2_bytes)),
        block_keys_(tiles::KeyCut::most_keys(kernels_.key_rows, problem.head_dim, problem.value_dim)),
        scratch_(kernels_, problem,
                 {.tiles = max_tiles_per_item,
                  .block_keys = block_keys_,
                  .score_keys = block_keys_,
                  .copied_keys = block_keys_,
                  .of_two_tiles = kernels_.weighted_sum_and_softmax != nullptr}),
        walk_{kernels_},
        decode_(kernels_, problem, tiling, scratch_, machine) {}

  std::size_t workspace_bytes(const Extents& extents, int num_threads) const noexcept override {
    const auto threads = static_cast<std::size_t>(num_threads);
    return sizeof(float) * (scratch_.floats() * threads + decode_.floats(extents, num_threads));
  }

  Status execute(const Arguments& arguments, std::span<std::byte> workspace,
                 Executor& executor) const noexcept override;

  std::string describe(const Extents& extents, int num_threads) const override;

 private:
  Survey survey(const Arguments& arguments) const noexcept;
  WorkList work_list(std::int64_t members, std::int64_t longest_queries, bool alike, int threads) const noexcept;
  Following follow(const Call& call, std::int64_t index) const noexcept;
  bool at_hand(const Call& call, const HeadRows& head, const Item& item) const noexcept;
  void run_item(const Call& call, std::int64_t index, float* memory) const noexcept;
  void run_in_one_block(const Call& call, const HeadRows& head, std::int64_t first_row, const Following& following,
                        float* memory) const noexcept;
  void run_tile(const Arguments& arguments, const HeadRows& head, std::int64_t row, const tiles::KeyBlock& block,
                const tiles::BlockAhead& ahead, float* own, const Scratch& shared) const noexcept;

  const Kernels& kernels_;
  tiled::Grain grain_;
  // Keys and values of a head: what a core fetches in time by itself, and what stays in its L2 from item to item.
  std::int64_t unasked_bytes_, kept_bytes_;
  std::int64_t rows_in_cache_;
  std::int64_t block_keys_;
  tiles::ScratchLayout scratch_;
  KeyWalk walk_;
  Decode decode_;
};

WorkList TiledPlan::work_list(std::int64_t members, std::int64_t longest_queries, bool alike,
                              int threads) const noexcept {
  const Problem& p = problem();
  return {{members, p.kv_heads, p.group() * longest_queries, kernels_.lanes, threads, grain_, rows_in_cache_, alike},
          p.causal};
}

Survey TiledPlan::survey(const Arguments& arguments) const noexcept {
  Survey result;
  const Member first = arguments.members > 0 ? arguments.member(0) : Member{};
  for (std::int64_t b = 0; b < arguments.members; ++b) {
    const HeadRows head = tiles::head_rows(arguments, b, 0);
    const std::int64_t keys = head.member.keys;
    const bool split = decode_.takes(head);
    if (split)
      result.most_chunks = std::max(result.most_chunks, decode_.chunks(keys));
    else
      result.longest_queries = std::max(result.longest_queries, head.member.queries);
    result.alike = result.alike && !split && head.member.queries == first.queries && keys == first.keys;
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

  const int threads = chosen.num_threads();
  const WorkList work = work_list(arguments.members, found.longest_queries, found.alike, threads);
  const Call call{arguments, work, threads, {kernels_, arguments}};
  const auto run = [&](std::int64_t item, int worker) noexcept {
    run_item(call, item, memory + static_cast<std::size_t>(worker) * scratch_.floats());
  };
  chosen.parallel_for(work.size(), run);
  if (found.most_chunks > 0) {
    float* own = memory + static_cast<std::size_t>(executor.num_threads()) * scratch_.floats();
    decode_.run(arguments, found.most_chunks, memory, own, executor.num_threads(), chosen);
  }
  return Status::ok;
}

/// What most likely comes after that item on the same thread.
Following TiledPlan::follow(const Call& call, std::int64_t index) const noexcept {
  const Deal deal{call.threads};
  const std::int64_t next = deal.item(deal.worker(index), deal.round(index) + 1);
  if (next >= call.work.size()) return {};
  const Arguments& arguments = call.arguments;
  const Item item = call.work[next];
  const HeadRows head = tiles::head_rows(arguments, item.member, item.kv_head);
  if (arguments.window_left >= 0 || item.first_row >= head.count || decode_.takes(head)) return {};
  // What fits L1 is there in time where a core fetches ahead by itself; asking for it costs 1 to 8 % on Zen 5.
  if (key_value_bytes(arguments, head) <= unasked_bytes_) return {};
  const kernels::Ahead queries = tiles::queries_ahead(arguments, head, item.first_row, kernels_.lanes);
  if (at_hand(call, head, item)) return {{}, queries};
  return {walk_.beginning(arguments, head, {0, head.member.keys}), queries};
}

/// Has the thread most likely read the head's keys and values for the item before? Asking for them costs 1 to 3 % of
/// short calls on two Zen 5 cores.
bool TiledPlan::at_hand(const Call& call, const HeadRows& head, const Item& item) const noexcept {
  return item.head_again && key_value_bytes(call.arguments, head) <= kept_bytes_;
}

void TiledPlan::run_item(const Call& call, std::int64_t index, float* memory) const noexcept {
  const Arguments& arguments = call.arguments;
  const Item item = call.work[index];
  const HeadRows head = tiles::head_rows(arguments, item.member, item.kv_head);
  if (item.first_row >= head.count || decode_.takes(head)) return;  // there are items for the longest member
  const Following following = follow(call, index);
  const KeyRange all{0, head.member.keys};
  if (walk_.in_one_block(arguments, all)) return run_in_one_block(call, head, item.first_row, following, memory);
  const Scratch shared = scratch_.shared(memory);
  QueryTile tile[max_tiles_per_item];
  int open = 0;
  KeyRange keys{head.member.keys, 0};
  for (std::int64_t row = item.first_row; open < call.work.tiles_per_item() && row < head.count;
       row += kernels_.lanes) {
    tiles::fetch(tiles::queries_ahead(arguments, head, row + kernels_.lanes, kernels_.lanes));
    tile[open].open(kernels_, arguments, head, row, scratch_.tile(memory, open), shared);
    tile[open].write_at_once();
    const KeyRange range = tile[open].keys();
    if (range.begin < range.end) keys = {std::min(keys.begin, range.begin), std::max(keys.end, range.end)};
    ++open;
  }
  const bool kept = at_hand(call, head, item);
  walk_.attend(arguments, head, {tile, static_cast<std::size_t>(open)}, all, keys, false, kept, following.block,
               shared);
  tiles::fetch(following.queries);
  for (int i = 0; i < open; ++i) {
    tile[i].close([&] { walk_.attend(arguments, head, {tile + i, 1}, all, tile[i].keys(), true, kept, {}, shared); });
    if (arguments.weights.data != nullptr) walk_.write_weights(arguments, head, tile[i], shared);
  }
}

/// Tiles that see all keys at once need not wait for each other: each in the same memory, which stays in L1. The block
/// may be a copy in the shared scratch memory, so it is made once and nothing else that makes one is called.
void TiledPlan::run_in_one_block(const Call& call, const HeadRows& head, std::int64_t first_row,
                                 const Following& following, float* memory) const noexcept {
  const Scratch shared = scratch_.shared(memory);
  const int tile_count = call.work.tiles_per_item();
  const tiles::KeyBlock block = tiles::key_block(kernels_, call.arguments, head.member, head.kv_head, 0,
                                                 head.member.keys, tile_count, shared.copy);
  const bool plain = call.plain.suits(block);
  const std::int64_t end = std::min(first_row + tile_count * kernels_.lanes, head.count);
  float* const own = scratch_.tile(memory, 0);
  for (std::int64_t row = first_row; row < end; row += kernels_.lanes) {
    const tiles::BlockAhead ahead = row == first_row ? following.block : tiles::BlockAhead{};
    const bool last = row + kernels_.lanes >= end;
    tiles::fetch(last ? following.queries
                      : tiles::queries_ahead(call.arguments, head, row + kernels_.lanes, kernels_.lanes));
    if (!plain || !call.plain.attend(head, row, block, ahead.keys, own, shared))
      run_tile(call.arguments, head, row, block, ahead, own, shared);
  }
}

void TiledPlan::run_tile(const Arguments& arguments, const HeadRows& head, std::int64_t row,
                         const tiles::KeyBlock& block, const tiles::BlockAhead& ahead, float* own,
                         const Scratch& shared) const noexcept {
  QueryTile tile;
  tile.open(kernels_, arguments, head, row, own, shared);
  tile.write_at_once();
  tile.attend(block, false, ahead);
  tile.close([&] { tile.attend(block, true, {}); });
  if (arguments.weights.data == nullptr) return;
  tile.clear_weights();
  walk_.write_weights(tile, block, shared);
}

std::string TiledPlan::describe(const Extents& extents, int num_threads) const {
  const int threads = worth_threads(problem(), extents) ? num_threads : 1;
  const std::string end = " on " + std::to_string(threads) + " threads; workspace " +
                          std::to_string(workspace_bytes(extents, num_threads)) + " bytes";
  if (decode_.takes(problem().group() * extents.queries, extents.keys)) return decode_.describe(extents) + end;
  const WorkList work = work_list(extents.batch, extents.queries, !problem().cu_seqlens, threads);
  return "streaming softmax; " + std::string(kernels_.name) + " tiles of " + std::to_string(kernels_.lanes) +
         " queries, blocks of at most " + std::to_string(block_keys_) + " keys; " + std::to_string(work.size()) +
         " items of " + std::to_string(work.tiles_per_item()) + " tiles" + end;
}

/// Does a plan in its own way (Tiling{}) compute such a call with head dims in lanes?
bool decodes_in_dim_lanes(const Problem& problem, const Extents& extents, const Machine& machine) noexcept {
  const std::int64_t rows = problem.group() * extents.queries;
  const bool in_order = tiled::reads_in_order(machine);
  const Kernels* kernels = kernels::find(name(machine.isa));
  return rows <= Decode::most_rows_in_lanes(problem) && tiled::decodes_by_rows(rows, extents.keys, in_order) &&
         kernels != nullptr && !tiled::fill_tiles(rows, kernels->lanes, in_order);
}

class TiledBackend final : public Backend {
 public:
  std::string_view name() const noexcept override { return "tiled"; }
  std::string_view description() const noexcept override {
    return "streaming softmax over SIMD tiles, parallel, O(n) memory";
  }
  std::vector<Isa> instruction_sets() const override { return tiles::instruction_sets(); }
  bool parallel() const noexcept override { return true; }
  TraitSet traits() const noexcept override { return TraitSet::all(); }

  bool supports(const Problem& problem, const Extents&, std::string* reason) const override {
    return tiles::supports(problem, reason);
  }

  double estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                  int threads) const noexcept override {
    constexpr double wake_seconds = 3e-6;
    if (decodes_in_dim_lanes(problem, extents, machine)) {
      if (threads == 1 || !worth_threads(problem, extents))
        return tiles::estimate_decode_seconds(problem, extents, machine, 1);
      return wake_seconds + tiles::estimate_decode_seconds(problem, extents, machine, threads);
    }
    const double passes = problem.weights ? 1.5 : 1.0;  // the scores are computed twice
    const double alone = passes * tiles::estimate_seconds(problem, extents, machine);
    if (threads == 1 || !worth_threads(problem, extents)) return alone;
    return wake_seconds + alone / threads;
  }

  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine& machine) const override {
    return std::make_shared<TiledPlan>(problem, machine, Tiling{});
  }

  std::span<const std::string_view> tilings() const noexcept override { return tiled::tiling_names; }
  std::string_view reproducible_tiling() const noexcept override { return tiled::keys_in_streams; }

  std::shared_ptr<const Plan> plan_as(std::string_view tiling, const Problem& problem,
                                      const Machine& machine) const override {
    for (const Tiling& known : tiled::tilings) {
      if (known.name == tiling) return std::make_shared<TiledPlan>(problem, machine, known);
    }
    return Backend::plan_as(tiling, problem, machine);
  }
};

}  // namespace

std::unique_ptr<Backend> make_tiled() { return std::make_unique<TiledBackend>(); }

}  // namespace attune
