#include "tools/attune/profile/compare.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tools/attune/profile/findings.hpp"
#include "tools/attune/units.hpp"

namespace attune::tool::profile {
namespace {

const Point* find(const Profile& profile, const Curve& like, std::int64_t length) {
  for (const Curve& curve : profile.curves) {
    if (curve.variant != like.variant || curve.backend != like.backend) continue;
    for (const Point& point : curve.points)
      if (point.length == length && point.measured()) return &point;
  }
  return nullptr;
}

Change change_of(const Curve& curve, const Point& before, const Point& after) {
  const Verdict verdict = clearly_faster(after, before)   ? Verdict::faster
                          : clearly_faster(before, after) ? Verdict::slower
                                                          : Verdict::same;
  return {curve.variant, curve.backend, before.length, before.seconds, after.seconds, noise_of(before, after), verdict};
}

/// Mean of the peaks' ratio over the points both have; 1: none, or no peaks.
double peak_ratio(const Profile& before, const Profile& after) {
  double sum = 0;
  int count = 0;
  for (const Curve& curve : before.curves)
    for (const Point& point : curve.points) {
      const Point* other = point.measured() ? find(after, curve, point.length) : nullptr;
      if (other == nullptr || point.peak <= 0 || other->peak <= 0) continue;
      sum += std::log(other->peak / point.peak);
      ++count;
    }
  return count == 0 ? 1 : std::exp(sum / count);
}

template <typename T>
void doubt_if_differs(std::vector<std::string>& doubts, const char* what, const T& before, const T& after) {
  if (before != after) doubts.push_back(fmt::format("{} differs: {} before, {} after", what, before, after));
}

std::vector<std::string> doubts_of(const Profile& before, const Profile& after) {
  const Setting &a = before.setting, &b = after.setting;
  std::vector<std::string> doubts;
  doubt_if_differs(doubts, "the CPU", a.cpu, b.cpu);
  doubt_if_differs(doubts, "the number of cores", a.cores, b.cores);
  doubt_if_differs<std::string>(doubts, "mode", name(a.mode), name(b.mode));
  doubt_if_differs(doubts, "batch", a.batch, b.batch);
  doubt_if_differs(doubts, "heads", a.heads, b.heads);
  doubt_if_differs(doubts, "kv_heads", a.kv_heads, b.kv_heads);
  doubt_if_differs(doubts, "head_dim", a.head_dim, b.head_dim);
  doubt_if_differs(doubts, "dtype", a.dtype, b.dtype);
  if (a.mode == Mode::cross && b.mode == Mode::cross) doubt_if_differs(doubts, "queries", a.queries, b.queries);
  const double ratio = peak_ratio(before, after);
  if (ratio < 0.95 || ratio > 1.05)
    doubts.push_back(
        fmt::format("the machine itself ran at {:.2f}× the peak it had before: another clock, or company", ratio));
  return doubts;
}

std::vector<Change> those(const Comparison& comparison, Verdict verdict) {
  std::vector<Change> changes = comparison.changes;
  std::erase_if(changes, [&](const Change& change) { return change.verdict != verdict; });
  return changes;
}

/// "3 slower (1.12× the time on average)"
std::string count_text(const std::vector<Change>& changes, const char* word) {
  if (changes.empty()) return fmt::format("0 {}", word);
  double sum = 0;
  for (const Change& change : changes) sum += std::log(change.after / change.before);
  return fmt::format("{} {} ({:.2f}× the time on average)", changes.size(), word,
                     std::exp(sum / static_cast<double>(changes.size())));
}

}  // namespace

const char* name(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::faster:
      return "faster";
    case Verdict::slower:
      return "slower";
    case Verdict::same:
      return "same";
  }
  return "unknown";
}

Comparison compare(const Profile& before, const Profile& after) {
  Comparison comparison{{}, doubts_of(before, after)};
  for (const Curve& curve : before.curves)
    for (const Point& point : curve.points)
      if (const Point* other = point.measured() ? find(after, curve, point.length) : nullptr)
        comparison.changes.push_back(change_of(curve, point, *other));
  return comparison;
}

std::string headline(const Comparison& comparison) {
  if (comparison.changes.empty()) return "The two profiles have no measured point in common.";
  return fmt::format("Of {} points {}, {}, {} the same within noise.", comparison.changes.size(),
                     count_text(those(comparison, Verdict::faster), "faster"),
                     count_text(those(comparison, Verdict::slower), "slower"), those(comparison, Verdict::same).size());
}

void print(const Comparison& comparison) {
  constexpr const char* row = "{:<24} {:<10} {:>7} {:>10} {:>10} {:>7} {:>7}  {}\n";
  fmt::print(fmt::runtime(row), "VARIANT", "BACKEND", "LENGTH", "BEFORE", "AFTER", "RATIO", "NOISE", "VERDICT");
  for (const Change& c : comparison.changes)
    fmt::print(fmt::runtime(row), c.variant, c.backend, sequence_length(c.length), duration(c.before),
               duration(c.after), fmt::format("{:.3f}", c.after / c.before), fmt::format("{:.0f} %", 100 * c.noise),
               name(c.verdict));
  fmt::print("\n{}\n", headline(comparison));
  for (const std::string& doubt : comparison.doubts) fmt::print("- Take care: {}.\n", doubt);
}

nlohmann::ordered_json json_of(const Comparison& comparison) {
  nlohmann::ordered_json facts{
      {"headline", headline(comparison)}, {"doubts", comparison.doubts}, {"changes", nlohmann::ordered_json::array()}};
  for (const Change& c : comparison.changes)
    facts["changes"].push_back({{"variant", c.variant},
                                {"backend", c.backend},
                                {"length", c.length},
                                {"before_seconds", c.before},
                                {"after_seconds", c.after},
                                {"ratio", c.after / c.before},
                                {"noise", c.noise},
                                {"verdict", name(c.verdict)}});
  return facts;
}

}  // namespace attune::tool::profile
