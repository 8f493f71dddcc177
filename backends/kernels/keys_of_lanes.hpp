// Which keys the vectors of a tile take where a product is not of all of them (VectorsInUse).
#pragma once

#include <algorithm>
#include <cstdint>

#include "backends/kernels/kernels.hpp"
#include "backends/kernels/vector.hpp"

namespace {

using attune::kernels::VectorsInUse;

/// How many keys there are, and how many of them the lower one of two vectors takes.
struct KeysOfLanes {
  KeysOfLanes(std::int64_t count, std::int64_t lower_count) : all(count), lower(lower_count) {}
  KeysOfLanes(std::int64_t count, VectorsInUse vectors) : all(count), lower(std::min(count, vectors.lower_keys)) {}

  std::int64_t all, lower;
};

/// Calls f.operator()<W>(first lane, first key, keys, maxima) for the keys of all V vectors, and for those that the
/// upper one of two has to itself; row_max gets the maxima.
template <int V, typename F>
[[gnu::always_inline]] inline void score_both(KeysOfLanes keys, float* row_max, F f) {
  Row<V> largest;
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) largest[v] = minus_infinity();
  f.template operator()<V>(0, 0, V == 1 ? keys.all : keys.lower, largest);
  if constexpr (V == 2)
    if (keys.lower < keys.all) {
      Row<1> upper = {largest[1]};
      f.template operator()<1>(vector_lanes, keys.lower, keys.all - keys.lower, upper);
      largest[1] = upper[0];
    }
#pragma GCC unroll 2
  for (int v = 0; v < V; ++v) store(row_max + v * vector_lanes, largest[v]);
}

}  // namespace
