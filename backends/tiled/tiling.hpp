// Ways to cut a call other than tiled's own, each of which is the fastest on some machine: variants for tuning to
// measure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "backends/tiled/work_list.hpp"

namespace attune::tiled {

/// Which way a member with few rows goes; it decides how its sums are rounded.
enum class FewRows : std::uint8_t {
  by_size,         // decodes_by_rows()
  in_query_lanes,  // through tiles, its keys split where it fills no more than one
  in_dim_lanes     // head dims in lanes up to max_decode_rows, however few its keys are
};

struct Tiling {
  std::string_view name{};
  Grain grain = Grain::balanced;
  FewRows few_rows = FewRows::by_size;
};

inline constexpr std::array<Tiling, 4> tilings{{{"small items", Grain::small, FewRows::by_size},
                                                {"large items", Grain::large, FewRows::by_size},
                                                {"query lanes", Grain::balanced, FewRows::in_query_lanes},
                                                {"dim lanes", Grain::balanced, FewRows::in_dim_lanes}}};

inline constexpr std::array<std::string_view, tilings.size()> tiling_names{tilings[0].name, tilings[1].name,
                                                                           tilings[2].name, tilings[3].name};

}  // namespace attune::tiled
