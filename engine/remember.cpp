// What an engine tells and forgets of its wisdom.
#include <algorithm>
#include <string>
#include <tuple>

#include "engine/engine_state.hpp"

namespace attune {

using namespace detail;

namespace {

/// The largest call that falls into the bucket.
Extents extents_of(const WisdomKey& key) {
  const Buckets& b = key.buckets;
  if (key.problem.cu_seqlens) return {b.batch, b.queries, b.keys, b.total_queries, b.total_keys};
  return {b.batch, b.queries, b.keys, 0, 0};
}

std::string pinned(const WisdomKey& key) {
  std::string words = key.backend.empty() ? "" : "backend " + key.backend;
  if (key.isa) words += (words.empty() ? "isa " : ", isa ") + std::string(name(*key.isa));
  return words;
}

}  // namespace

std::vector<WisdomRecord> Engine::wisdom() const {
  std::vector<WisdomRecord> records;
  const auto table = state_->wisdom.table();
  for (const auto& [key, entry] : table->entries()) {
    records.push_back({to_text(key.problem, extents_of(key)), key.threads, pinned(key), entry.winner, entry.measured_at,
                       entry.measurements});
  }
  std::sort(records.begin(), records.end(), [](const WisdomRecord& a, const WisdomRecord& b) {
    return std::tie(a.problem, a.threads, a.pinned) < std::tie(b.problem, b.threads, b.pinned);
  });
  return records;
}

std::string Engine::wisdom_file() const { return state_->wisdom.path(); }

std::string Engine::wisdom_note() const { return state_->wisdom.note(); }

void Engine::clear_wisdom() {
  const std::string wrong = state_->wisdom.clear();
  if (!wrong.empty()) throw Error(ErrorCode::io, "wisdom: " + wrong);
}

std::string Engine::export_wisdom() const { return state_->wisdom.exported(); }

std::string Engine::import_wisdom(std::string_view text) { return state_->wisdom.import(text); }

}  // namespace attune
