// Ways to cut a call other than tiled's own, each of which is the fastest on some machine: variants for tuning to
// measure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <attune/machine.hpp>

#include "backends/tiled/work_list.hpp"

namespace attune::tiled {

/// Which way a member with few rows goes; it decides how its sums are rounded.
enum class FewRows : std::uint8_t {
  by_size,         // decodes_by_rows()
  in_query_lanes,  // through tiles, its keys split where it fills no more than one
  in_dim_lanes     // head dims in lanes up to max_decode_rows, however few its keys are
};

/// Does a core of this machine do best when memory is read in order, and by itself fetch ahead what is? Zen 5 does,
/// Zen 4 does not (kernels/decode_rows.hpp has the figures). Nothing tells but the size of its L1, which has the room
/// for what is asked for ahead beside what is in use; tuning tries the other way, and calls that are to be reproducible
/// read in streams everywhere.
inline bool reads_in_order(const Machine& machine) noexcept { return machine.l1_bytes >= 48 << 10; }

/// In what order rows with head dims in lanes read keys and values (kernels::Fetch); it decides how their sums are
/// rounded.
enum class KeyOrder : std::uint8_t {
  by_machine,  // in memory's order if it reads_in_order(), else in streams
  in_streams,  // from several places in turn (kernels::place_in_streams)
  in_order
};

struct Tiling {
  std::string_view name{};
  Grain grain = Grain::balanced;
  FewRows few_rows = FewRows::by_size;
  KeyOrder key_order = KeyOrder::by_machine;
};

inline constexpr std::string_view keys_in_streams = "keys in streams";

inline constexpr std::array<Tiling, 6> tilings{{{.name = "small items", .grain = Grain::small},
                                                {.name = "large items", .grain = Grain::large},
                                                {.name = "query lanes", .few_rows = FewRows::in_query_lanes},
                                                {.name = "dim lanes", .few_rows = FewRows::in_dim_lanes},
                                                {.name = keys_in_streams, .key_order = KeyOrder::in_streams},
                                                {.name = "keys in order", .key_order = KeyOrder::in_order}}};

inline constexpr std::array<std::string_view, tilings.size()> tiling_names = [] {
  std::array<std::string_view, tilings.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = tilings[i].name;
  return names;
}();

}  // namespace attune::tiled
