#include "tools/attune/profile/findings.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "tools/attune/units.hpp"

namespace attune::tool::profile {
namespace {

/// Two digits: a length between measured ones is not known better.
std::string about(double length) {
  if (length >= 1e15) return "any length";
  const double unit = std::pow(10, std::floor(std::log10(std::max(length, 1.0))) - 1);
  const double rounded = std::max(1.0, std::round(length / unit) * unit);
  if (rounded >= 1e6) return fmt::format("{:.1f} million", rounded / 1e6);
  return fmt::format("{:.0f}", rounded);
}

std::string what(const Curve& curve) { return curve.backend + " " + curve.variant; }

std::string noun(Mode mode) { return mode == Mode::prefill ? "tokens" : "keys"; }

/// "×7.9 faster" of two times.
std::string faster(double slow, double fast) {
  const double ratio = slow / fast;
  return ratio >= 1 ? fmt::format("{:.{}f}× faster", ratio, ratio < 9.95 ? 1 : 0)
                    : fmt::format("{:.1f}× slower", 1 / ratio);
}

/// "n^1.98", without its margin.
std::string power_text(const Curve& curve) {
  const auto fit = fit_of(curve);
  return fit ? fmt::format("n^{:.2f}", fit->exponent) : "one length";
}

const Point* point_at(const Curve& curve, std::int64_t length) {
  for (const Point& point : curve.points)
    if (point.length == length && point.measured()) return &point;
  return nullptr;
}

bool is_linear(const std::string& variant) { return variant.find("linear") != std::string::npos; }

/// What the other variants are to the reference, where it was measured last.
std::string comparison(const Profile& profile, const Curve& reference) {
  const Point& mark = *last_measured(reference);
  std::string text;
  for (const std::string& variant : profile.variants) {
    const Curve* curve = best_of(profile, variant);
    if (variant == reference.variant || curve == nullptr) continue;
    const Point* point = point_at(*curve, mark.length);
    if (point == nullptr) continue;
    text += fmt::format("{}{} ({}{}) is {}", text.empty() ? "; there, " : ", ", variant,
                        is_linear(variant) ? "another function, " : "", power_text(*curve),
                        faster(mark.seconds, point->seconds));
  }
  return text;
}

void add_crossovers(const Profile& profile, std::vector<std::string>& remarks) {
  const auto add = [&](const Curve& a, const Curve& b) {
    for (const Crossover& x : crossovers(a, b))
      remarks.push_back(fmt::format("From about {} {} on, {} is faster than {}.", about(x.length),
                                    noun(profile.setting.mode), what(*x.faster), what(*x.slower)));
  };
  for (std::size_t a = 0; a < profile.curves.size(); ++a)
    for (std::size_t b = a + 1; b < profile.curves.size(); ++b)
      if (profile.curves[a].variant == profile.curves[b].variant) add(profile.curves[a], profile.curves[b]);
  const Curve* reference = profile.variants.empty() ? nullptr : best_of(profile, profile.variants.front());
  for (const std::string& variant : profile.variants) {
    const Curve* curve = best_of(profile, variant);
    if (reference != nullptr && curve != nullptr && curve != reference) add(*reference, *curve);
  }
}

std::string reach_text(const std::optional<Reach>& reach, Mode mode) {
  if (!reach) return "every length: it does not grow";
  if (reach->kind == Reach::Kind::none) return fmt::format("not even {} {}", about(reach->length), noun(mode));
  return fmt::format("up to about {} {}{}", about(reach->length), noun(mode),
                     reach->kind == Reach::Kind::extrapolated ? ", extrapolated" : "");
}

/// One sentence, in which variants that reach equally far stand together.
void add_reach(const Profile& profile, const std::string& limit, std::optional<Reach> (*reach)(const Curve&, double),
               double bound, std::vector<std::string>& remarks) {
  std::vector<std::pair<std::string, std::string>> groups;  // how far, and who
  for (const std::string& variant : profile.variants) {
    const Curve* curve = best_of(profile, variant);
    if (curve == nullptr) continue;
    const std::string text = reach_text(reach(*curve, bound), profile.setting.mode);
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == text; });
    if (group == groups.end())
      groups.emplace_back(text, what(*curve));
    else
      group->second += ", " + what(*curve);
  }
  std::string sentence;
  for (const auto& [text, who] : groups) sentence += fmt::format("{}{} ({})", sentence.empty() ? "" : "; ", text, who);
  if (!groups.empty()) remarks.push_back(fmt::format("Within {}: {}.", limit, sentence));
}

/// Curves of one backend that time ran out for at the same length.
struct OutOfTime {
  std::string backend;
  std::int64_t from = 0;
  std::vector<std::string> variants{};

  std::string words(std::size_t all_variants) const {
    std::string list;
    for (const std::string& variant : variants) list += (list.empty() ? " " : ", ") + variant;
    const bool all = variants.size() > 1 && variants.size() == all_variants;
    return fmt::format("{}{} from {} on", backend, all ? "" : list, sequence_length(from));
  }
};

void add_to(std::vector<OutOfTime>& groups, const Curve& curve, std::int64_t from) {
  const auto same = [&](const OutOfTime& g) { return g.backend == curve.backend && g.from == from; };
  auto group = std::find_if(groups.begin(), groups.end(), same);
  if (group == groups.end()) group = groups.insert(groups.end(), {curve.backend, from});
  group->variants.push_back(curve.variant);
}

/// Points that were left out: never silently.
void add_gaps(const Profile& profile, std::vector<std::string>& remarks) {
  std::vector<OutOfTime> no_time;
  for (const Curve& curve : profile.curves) {
    const auto first =
        std::find_if(curve.points.begin(), curve.points.end(), [](const Point& p) { return !p.measured(); });
    if (first == curve.points.end()) continue;
    if (first->gap == Gap::time)
      add_to(no_time, curve, first->length);
    else
      remarks.push_back(
          fmt::format("Not measured: {} from {} on: {}.", what(curve), sequence_length(first->length), first->reason));
  }
  std::string list;
  for (const OutOfTime& group : no_time) list += (list.empty() ? "" : "; ") + group.words(profile.variants.size());
  if (!list.empty()) remarks.push_back(fmt::format("Not measured, for lack of time (--seconds): {}.", list));
}

/// Nothing runs faster than the peak; what was measured did not have the machine to itself.
void add_doubt(const Profile& profile, std::vector<std::string>& remarks) {
  constexpr double clock_rates = 1.03;  // may differ by so much between a peak and a run
  for (const Curve& curve : profile.curves)
    for (const Point& point : curve.points)
      if (point.measured() && point.share_of_peak() > clock_rates)
        return remarks.push_back(
            "Shares of peak above 100 %: the machine was busy with something else when its peak was measured. Measure "
            "again when it is idle.");
}

}  // namespace

std::string headline(const Profile& profile) {
  const Curve* reference = nullptr;
  for (const std::string& variant : profile.variants)
    if (reference == nullptr) reference = best_of(profile, variant);
  if (reference == nullptr) return "Nothing could be measured.";
  const Point& point = *last_measured(*reference);
  return fmt::format("The time of {} attention grows as {}, to {} at {} {} ({}, {:.0f} % of peak){}.",
                     reference->variant, power_text(*reference), duration(point.seconds), sequence_length(point.length),
                     noun(profile.setting.mode), reference->backend, 100 * point.share_of_peak(),
                     comparison(profile, *reference));
}

std::vector<std::string> remarks(const Profile& profile) {
  std::vector<std::string> remarks;
  add_crossovers(profile, remarks);
  if (const auto limit = profile.setting.time_limit)
    add_reach(profile, duration(*limit), reach_in_seconds, *limit, remarks);
  if (const auto limit = profile.setting.memory_limit)
    add_reach(profile, size(*limit), reach_in_bytes, *limit, remarks);
  if (std::any_of(profile.variants.begin(), profile.variants.end(), is_linear))
    remarks.push_back("linear is another function than softmax attention: for models that were trained with it.");
  add_doubt(profile, remarks);
  add_gaps(profile, remarks);
  if (profile.interrupted) remarks.push_back("The measurement was interrupted.");
  return remarks;
}

}  // namespace attune::tool::profile
