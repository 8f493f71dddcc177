#include "engine/wisdom/table.hpp"

#include <algorithm>

namespace attune::detail {
namespace {

void drop_oldest(WisdomEntries& entries) {
  if (entries.size() <= most_wisdom_entries) return;
  std::vector<std::int64_t> ages;
  for (const auto& [key, entry] : entries) ages.push_back(entry.measured_at);
  const auto surplus = static_cast<std::ptrdiff_t>(entries.size() - most_wisdom_entries);
  std::nth_element(ages.begin(), ages.begin() + surplus, ages.end());
  const std::int64_t oldest_kept = ages[static_cast<std::size_t>(surplus)];
  std::erase_if(entries, [&](const auto& item) {
    return entries.size() > most_wisdom_entries && item.second.measured_at < oldest_kept;
  });
  while (entries.size() > most_wisdom_entries) {  // many of one second
    entries.erase(std::find_if(entries.begin(), entries.end(),
                               [&](const auto& item) { return item.second.measured_at == oldest_kept; }));
  }
}

}  // namespace

void add(WisdomEntries& entries, const WisdomKey& key, const WisdomEntry& entry) {
  const auto [place, added] = entries.try_emplace(key, entry);
  if (!added && entry.measured_at >= place->second.measured_at) place->second = entry;
}

void merge(WisdomEntries& entries, const WisdomEntries& more) {
  for (const auto& [key, entry] : more) add(entries, key, entry);
  drop_oldest(entries);
}

}  // namespace attune::detail
