#include "engine/wisdom/key.hpp"

#include <algorithm>
#include <bit>
#include <functional>

namespace attune::detail {
namespace {

std::int64_t power_of_two(std::int64_t size) noexcept {
  if (size <= 0) return 0;
  const auto bits = static_cast<std::uint64_t>(std::min(size, std::int64_t{1} << 62));
  return static_cast<std::int64_t>(std::bit_ceil(bits));
}

std::int64_t power_of_four(std::int64_t size) noexcept {
  const std::int64_t two = power_of_two(size);
  return std::countr_zero(static_cast<std::uint64_t>(two)) % 2 == 0 ? two : 2 * two;
}

}  // namespace

Buckets buckets_of(const Problem& problem, const Extents& extents) noexcept {
  Buckets result;
  result.batch = power_of_two(extents.batch);
  result.queries = power_of_two(extents.queries);
  result.keys = extents.queries == 1 ? power_of_four(extents.keys) : power_of_two(extents.keys);
  if (problem.cu_seqlens) {
    result.total_queries = power_of_two(extents.total_queries);
    result.total_keys = power_of_two(extents.total_keys);
  }
  return result;
}

std::size_t hash_value(const WisdomQuestion& key) noexcept {
  std::size_t hash = hash_value(key.problem);
  const auto mix = [&hash](std::size_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
  };
  const Buckets& b = key.buckets;
  for (const std::int64_t size : {b.batch, b.queries, b.keys, b.total_queries, b.total_keys}) {
    mix(static_cast<std::size_t>(size));
  }
  mix(static_cast<std::size_t>(key.threads));
  mix(key.isa ? 1 + static_cast<std::size_t>(*key.isa) : 0);
  if (!key.backend.empty()) mix(std::hash<std::string_view>{}(key.backend));
  return hash;
}

}  // namespace attune::detail
