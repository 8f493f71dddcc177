// Wisdom in memory: for a problem and the bucket of its lengths, the variant that was measured to be the fastest.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <attune/tuning.hpp>

#include "engine/wisdom/key.hpp"

namespace attune::detail {

struct WisdomEntry {
  Variant winner;
  std::string winner_version;    // Backend::version(): of another one nothing is known
  std::int64_t measured_at = 0;  // seconds since 1970
  std::vector<Measurement> measurements;
};

using WisdomEntries = std::unordered_map<WisdomKey, WisdomEntry, WisdomKeyHash, WisdomKeyEqual>;

/// Immutable once it is shared.
class WisdomTable {
 public:
  WisdomTable() = default;
  explicit WisdomTable(WisdomEntries entries) : entries_(std::move(entries)) {}

  const WisdomEntries& entries() const noexcept { return entries_; }

  /// Null where nothing is known. Allocates nothing.
  const WisdomEntry* find(const WisdomQuestion& question) const {
    const auto found = entries_.find(question);
    return found != entries_.end() ? &found->second : nullptr;
  }

 private:
  WisdomEntries entries_;
};

/// The most entries that are kept, in memory and on disk; the oldest leave.
inline constexpr std::size_t most_wisdom_entries = 2048;

/// Of two entries for the same key the one that was measured later stays, of equals the new one.
void add(WisdomEntries& entries, const WisdomKey& key, const WisdomEntry& entry);

/// Adds all of `more`, then lets the oldest go.
void merge(WisdomEntries& entries, const WisdomEntries& more);

}  // namespace attune::detail
