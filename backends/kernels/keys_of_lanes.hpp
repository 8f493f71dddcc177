// Which keys the vectors of a tile take where a product is not of all of them (VectorsInUse).
#pragma once

#include <algorithm>
#include <cstdint>

#include "backends/kernels/kernels.hpp"
#include "backends/kernels/vector.hpp"

namespace {

using attune::kernels::VectorsInUse;

/// How many keys there are, and how many of them the lower one of two vectors takes; a single vector takes all.
struct KeysOfLanes {
  KeysOfLanes(std::int64_t count, std::int64_t lower_count) : all(count), lower(lower_count) {}
  KeysOfLanes(std::int64_t count, VectorsInUse vectors)
      : KeysOfLanes(count, vectors.count == 1 ? count : std::min(count, vectors.lower_keys)) {}

  std::int64_t all, lower;
};

/// f(row_max) scores the keys that the upper vector has to itself; the maxima of its lanes join those of the others.
template <typename F>
inline void score_upper(float* row_max, F f) {
  alignas(64) float own[vector_lanes];
  f(own);
  store(row_max + vector_lanes, xsimd::max(load(row_max + vector_lanes), load(own)));
}

}  // namespace
