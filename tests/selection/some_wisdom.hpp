// Entries of wisdom to test with.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "engine/wisdom/json.hpp"
#include "engine/wisdom/table.hpp"

namespace attune::test {

inline detail::MachineDescription made_up_machine() { return {"Made-up CPU", "sse2, avx2", 4, "1.2.3"}; }

/// Different for each number of heads.
inline detail::WisdomKey some_key(std::int64_t heads) {
  detail::WisdomKey key;
  key.problem.heads = key.problem.kv_heads = heads;
  key.problem.head_dim = key.problem.value_dim = 64;
  key.buckets = detail::buckets_of(key.problem, Extents::padded(2, 100, 300));
  key.threads = 4;
  return key;
}

inline detail::WisdomEntry some_entry(std::int64_t measured_at = 1000) {
  detail::WisdomEntry entry;
  entry.winner = {"tiled", Isa::avx2, 2, "small items"};
  entry.measured_at = measured_at;
  entry.measurements.push_back({entry.winner, 1.5e-3, 2e-5, 12, "the fastest"});
  entry.measurements.push_back({{"simd", Isa::sse2, 1}, 9e-3, 0, 1, "slow"});
  return entry;
}

inline detail::WisdomEntries one(const detail::WisdomKey& key, const detail::WisdomEntry& entry) {
  detail::WisdomEntries entries;
  entries.emplace(key, entry);
  return entries;
}

}  // namespace attune::test
