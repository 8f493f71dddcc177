#include "backends/tiles/scratch.hpp"

#include <algorithm>

#include "backends/tiles/key_block.hpp"
#include "backends/tiles/query_tile.hpp"
#include "backends/tiles/sizes.hpp"

namespace attune::tiles {

ScratchLayout::ScratchLayout(const kernels::Kernels& kernels, const Problem& problem,
                             const ScratchNeeds& needs) noexcept
    : row_floats_(
          static_cast<std::int64_t>(padded_floats(std::max({problem.head_dim, problem.value_dim, needs.block_keys})))),
      tile_floats_(QueryTile::scratch_floats(kernels, problem.head_dim, problem.value_dim)) {
  rows_ = tile_floats_ * static_cast<std::size_t>(needs.tiles);
  row_max_ = rows_ + static_cast<std::size_t>(row_floats_ * kernels.lanes);
  copy_ = row_max_ + max_lanes;
  scores_ = copy_ + key_block_floats(needs.copied_keys, problem.head_dim, problem.value_dim);
  others_ = scores_ + padded_floats(float_count(needs.score_keys, kernels.lanes));
  floats_ = needs.of_two_tiles ? others_ + (others_ - scores_) : others_;
}

Scratch ScratchLayout::shared(float* memory) const noexcept {
  return {memory + scores_, memory + others_, memory + row_max_, memory + copy_, {memory + rows_, row_floats_}};
}

}  // namespace attune::tiles
