// Two profiles beside each other: what became faster, what slower, and what noise hides.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/attune/profile/profile.hpp"

namespace attune::tool::profile {

enum class Verdict : std::uint8_t { faster, slower, same };
const char* name(Verdict verdict) noexcept;

struct Change {
  std::string variant, backend;
  std::int64_t length = 0;
  double before = 0, after = 0;  // seconds
  double noise = 0;              // the relative difference that would not count
  Verdict verdict = Verdict::same;
};

struct Comparison {
  std::vector<Change> changes;      // points measured in both
  std::vector<std::string> doubts;  // why the two may not be comparable
};

Comparison compare(const Profile& before, const Profile& after);

/// "3 of 24 points are slower (by 1.12× on average), 2 faster, 19 the same within noise."
std::string headline(const Comparison& comparison);

void print(const Comparison& comparison);
nlohmann::ordered_json json_of(const Comparison& comparison);

}  // namespace attune::tool::profile
