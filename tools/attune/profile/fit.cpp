#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "tools/attune/profile/findings.hpp"

namespace attune::tool::profile {
namespace {

constexpr double range_of_fit = 16;

/// The two-sided 95 % quantile of Student's t.
double student(int degrees_of_freedom) {
  constexpr std::array table{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228};
  const auto i = static_cast<std::size_t>(degrees_of_freedom - 1);
  return i < table.size() ? table[i] : 1.96 + 2.5 / degrees_of_freedom;  // within 0.01 from there on
}

/// Solves for the x where the line through two points on logarithms reaches y.
double where(const Sample2D& a, const Sample2D& b, double y) {
  const double t = std::log(y / a.y) / std::log(b.y / a.y);
  return a.x * std::pow(b.x / a.x, t);
}

std::optional<Reach> reach(const std::vector<Sample2D>& points, const std::optional<Fit>& fit, double limit) {
  if (points.empty()) return std::nullopt;
  if (points.front().y > limit) return Reach{points.front().x, Reach::Kind::none};
  for (std::size_t i = 1; i < points.size(); ++i)
    if (points[i].y > limit) return Reach{where(points[i - 1], points[i], limit), Reach::Kind::interpolated};
  if (!fit || fit->exponent < 0.05) return std::nullopt;  // nothing grows: there is no such length
  return Reach{points.back().x * std::pow(limit / points.back().y, 1 / fit->exponent), Reach::Kind::extrapolated};
}

std::vector<Sample2D> points_of(const Curve& curve, double Point::* quantity) {
  std::vector<Sample2D> points;
  for (const Point& point : curve.points)
    if (point.measured()) points.push_back({static_cast<double>(point.length), point.*quantity});
  return points;
}

std::vector<Sample2D> long_end(std::vector<Sample2D> points) {
  if (points.empty()) return points;
  const double longest = points.back().x;
  std::erase_if(points, [&](const Sample2D& p) { return p.x * range_of_fit < longest; });
  return points;
}

}  // namespace

std::optional<Fit> fit_power(const std::vector<Sample2D>& points) {
  const auto n = static_cast<double>(points.size());
  double mean_x = 0, mean_y = 0;
  for (const auto& [x, y] : points) mean_x += std::log(x) / n, mean_y += std::log(y) / n;
  double xx = 0, xy = 0;
  for (const auto& [x, y] : points) {
    xx += (std::log(x) - mean_x) * (std::log(x) - mean_x);
    xy += (std::log(x) - mean_x) * (std::log(y) - mean_y);
  }
  if (points.size() < 2 || xx == 0) return std::nullopt;
  Fit fit;
  fit.exponent = xy / xx;
  fit.factor = std::exp(mean_y - fit.exponent * mean_x);
  fit.from = std::llround(points.front().x), fit.to = std::llround(points.back().x);
  fit.points = static_cast<int>(points.size());
  if (points.size() < 3) return fit;
  double residual = 0;
  for (const auto& [x, y] : points) {
    const double off = std::log(y) - mean_y - fit.exponent * (std::log(x) - mean_x);
    residual += off * off;
  }
  const int freedom = fit.points - 2;
  fit.margin = student(freedom) * std::sqrt(residual / freedom / xx);
  return fit;
}

std::optional<Fit> fit_of(const Curve& curve) { return fit_power(long_end(points_of(curve, &Point::seconds))); }

std::optional<Reach> reach_in_seconds(const Curve& curve, double limit) {
  return reach(points_of(curve, &Point::seconds), fit_of(curve), limit);
}

std::optional<Reach> reach_in_bytes(const Curve& curve, double limit) {
  const auto points = points_of(curve, &Point::peak_bytes);
  return reach(points, fit_power(long_end(points)), limit);
}

double noise_of(const Point& a, const Point& b) { return std::max(0.03, 2 * std::hypot(a.spread, b.spread)); }

bool clearly_faster(const Point& a, const Point& b) { return b.seconds > a.seconds * (1 + noise_of(a, b)); }

std::vector<Crossover> crossovers(const Curve& a, const Curve& b) {
  std::vector<Crossover> found;
  const Point* last[2] = {nullptr, nullptr};  // where one was clearly ahead for the last time
  const Curve* ahead = nullptr;
  for (const Point& p : a.points) {
    const auto q = std::find_if(b.points.begin(), b.points.end(), [&](const Point& x) { return x.length == p.length; });
    if (q == b.points.end() || !p.measured() || !q->measured()) continue;
    const Curve* now = clearly_faster(p, *q) ? &a : clearly_faster(*q, p) ? &b : nullptr;
    if (now == nullptr) continue;
    if (ahead != nullptr && now != ahead) {
      const Sample2D before{static_cast<double>(last[0]->length), last[0]->seconds / last[1]->seconds};
      const Sample2D here{static_cast<double>(p.length), p.seconds / q->seconds};
      found.push_back({ahead, now, where(before, here, 1)});
    }
    ahead = now;
    last[0] = &p, last[1] = &*q;
  }
  return found;
}

const Point* last_measured(const Curve& curve) {
  const auto found =
      std::find_if(curve.points.rbegin(), curve.points.rend(), [](const Point& p) { return p.measured(); });
  return found == curve.points.rend() ? nullptr : &*found;
}

const Curve* best_of(const Profile& profile, const std::string& variant) {
  const Curve* best = nullptr;
  for (const Curve& curve : profile.curves) {
    const Point* point = last_measured(curve);
    if (curve.variant != variant || point == nullptr) continue;
    const Point* record = best == nullptr ? nullptr : last_measured(*best);
    if (record == nullptr || point->length > record->length ||
        (point->length == record->length && point->seconds < record->seconds))
      best = &curve;
  }
  return best;
}

std::string exponent_text(const std::optional<Fit>& fit) {
  if (!fit) return "?";
  if (!fit->margin) return fmt::format("n^{:.2f}", fit->exponent);
  return fmt::format("n^{:.2f} ± {:.2f}", fit->exponent, *fit->margin);
}

}  // namespace attune::tool::profile
