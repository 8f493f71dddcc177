#include "backends/tiled/walk.hpp"

#include <algorithm>
#include <utility>

#include "backends/tiles/key_block.hpp"

namespace attune::tiled {

using tiles::HeadRows;
using tiles::KeyBlock;
using tiles::KeyCut;
using tiles::QueryTile;
using tiles::Scratch;

void KeyWalk::attend(const Arguments& arguments, const HeadRows& head, std::span<QueryTile> tiles, const KeyRange& all,
                     const KeyRange& keys, bool careful, bool at_hand, const tiles::BlockAhead& following,
                     const Scratch& shared) const noexcept {
  const KeyCut cut = cut_of(arguments, all);
  for (KeyRange range = cut.first(keys); range.begin < keys.end; range = cut.next(range, keys)) {
    const auto wants = [&range](const QueryTile& tile) { return tile.wants(range); };
    if (std::none_of(tiles.begin(), tiles.end(), wants)) continue;
    const KeyBlock block = tiles::key_block(kernels, arguments, head.member, head.kv_head, range.begin,
                                            range.end - range.begin, static_cast<int>(tiles.size()), shared.copy);
    const KeyRange next = cut.next(range, keys);
    tiles::BlockAhead ahead;
    if (next.begin >= keys.end)
      ahead = following;
    else if (!at_hand)
      ahead = tiles::ahead_of(arguments, head.member, head.kv_head, next);
    if (tiles.size() > 1 && !careful && tiles.front().weighs_beside_others()) {
      attend_together(tiles, block, ahead, shared);
      continue;
    }
    for (QueryTile& tile : tiles)
      if (tile.attend(block, careful, ahead)) ahead = {};
  }
}

void KeyWalk::attend_together(std::span<QueryTile> tiles, const KeyBlock& block, tiles::BlockAhead ahead,
                              const Scratch& shared) noexcept {
  QueryTile* before = nullptr;
  KeyBlock part_before;
  float *scores = shared.scores, *weights = shared.others;
  for (QueryTile& tile : tiles) {
    const KeyBlock part = tile.part_of(block);
    if (part.count == 0) continue;
    tile.score(part, std::exchange(ahead.keys, {}), scores, shared.row_max);
    if (before == nullptr)
      tile.softmax(scores, part.count, shared.row_max, false);
    else
      before->add_values_beside(weights, part_before, tile, scores, part.count, shared.row_max);
    before = &tile;
    part_before = part;
    std::swap(scores, weights);
  }
  if (before != nullptr) before->add_values(weights, part_before, false, ahead.values);
}

KeyCut KeyWalk::cut_of(const Arguments& arguments, const KeyRange& all) const noexcept {
  return {all, kernels.key_rows, arguments.head_dim, arguments.value_dim};
}

bool KeyWalk::in_one_block(const Arguments& arguments, const KeyRange& all) const noexcept {
  return cut_of(arguments, all).one_block();
}

tiles::BlockAhead KeyWalk::beginning(const Arguments& arguments, const HeadRows& head,
                                     const KeyRange& keys) const noexcept {
  return tiles::ahead_of(arguments, head.member, head.kv_head, cut_of(arguments, keys).first(keys));
}

void KeyWalk::write_weights(const Arguments& arguments, const HeadRows& head, const QueryTile& tile,
                            const Scratch& shared) const noexcept {
  tile.clear_weights();
  const KeyRange keys = tile.keys();
  const KeyCut cut = cut_of(arguments, {0, head.member.keys});
  for (KeyRange range = cut.first(keys); range.begin < keys.end; range = cut.next(range, keys)) {
    write_weights(tile,
                  tiles::key_block(kernels, arguments, head.member, head.kv_head, range.begin, range.end - range.begin,
                                   1, shared.copy),
                  shared);
  }
}

void KeyWalk::write_weights(const QueryTile& tile, const KeyBlock& block, const Scratch& shared) noexcept {
  const KeyBlock part = tile.part_of(block);
  if (part.count == 0) return;
  tile.recompute_weights(part, shared.scores);
  tile.write_weights(part, shared.scores);
}

}  // namespace attune::tiled
