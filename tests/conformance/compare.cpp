#include "tests/conformance/compare.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <string>

#include <attune/tolerance.hpp>

#include "tests/conformance/failure.hpp"

namespace attune::conformance {
namespace {

using namespace tolerance;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

/// "[1,0,7]": where the element stands.
std::string index_of(const Array& array, std::int64_t position) {
  std::string text;
  for (int axis = array.rank; axis-- > 0;) {
    text = std::to_string(position % array.extent(axis)) + (text.empty() ? "" : "," + text);
    position /= array.extent(axis);
  }
  return "[" + text + "]";
}

/// Collects what is wrong with one output, and says it.
class Judge {
 public:
  Judge(const char* name, const Array& got, double allowance) : name_(name), got_(got), allowance_(allowance) {}

  /// The element must be what rounding some number within `tolerance` of `expected` to its type can give.
  void expect(std::int64_t at, double expected, double tolerance) {
    const double got = got_[at];
    const double low = round_to(got_.dtype, expected - allowance_ * tolerance);
    const double high = round_to(got_.dtype, expected + allowance_ * tolerance);
    const bool right = std::isnan(expected)   ? std::isnan(got)
                       : std::isinf(expected) ? got == expected
                                              : low <= got && got <= high;
    const double error = std::abs(got - expected);
    const double share = right && (error == 0 || !is_measurable(error)) ? 0 : error / tolerance;
    if (!right) ++wrong_;
    if (right ? share > worst_right_ : wrong_ == 1 || share > worst_wrong_) note(at, expected, tolerance, share, right);
  }

  /// Throws if an element was wrong; otherwise the largest error as a share of its tolerance.
  double verdict(const Workload& workload) const {
    if (wrong_ == 0) return worst_right_;
    throw Failure(std::string(name_) + worst_text_ + "; " + std::to_string(wrong_) + " of " +
                  std::to_string(got_.size()) + " elements wrong; " + describe(workload.spec));
  }

 private:
  /// Of a 16-bit output nothing but its own rounding would be seen.
  bool is_measurable(double error) const {
    return std::isfinite(error) && (got_.dtype == DType::f32 || got_.dtype == DType::f64);
  }

  void note(std::int64_t at, double expected, double tolerance, double share, bool right) {
    (right ? worst_right_ : worst_wrong_) = share;
    if (right) return;
    worst_text_ = index_of(got_, at) + " is " + number(got_[at]) + ", expected " + number(expected) + " ± " +
                  number(allowance_ * tolerance);
  }

  const char* name_;
  const Array& got_;
  double allowance_;
  std::int64_t wrong_ = 0;
  double worst_right_ = 0, worst_wrong_ = 0;
  std::string worst_text_;
};

template <typename Visitor>
void for_each_row(const Workload& workload, Visitor&& visit) {
  for (std::int64_t b = 0; b < workload.spec.members(); ++b)
    for (std::int64_t h = 0; h < workload.spec.heads; ++h)
      for (std::int64_t i = 0; i < workload.queries_of(b); ++i) visit(b, h, i);
}

void judge_weights(Judge& judge, const Workload& workload, const RowReference& row, const Array& expected,
                   std::int64_t first, double relative) {
  const bool poisoned = std::isnan(row.lse);
  for (std::int64_t j = 0; j < workload.spec.keys; ++j) {
    const double weight = expected[first + j];
    if (poisoned && !std::isnan(weight)) continue;  // of a NaN row only the attended keys are specified
    judge.expect(first + j, weight, weight == 0 ? 0 : weight_tolerance(relative, weight));
  }
}

void compare_bits(const char* name, const Array& expected, const Array& got, std::string_view what) {
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    if (std::bit_cast<std::uint64_t>(expected[i]) == std::bit_cast<std::uint64_t>(got[i])) continue;
    if (std::isnan(expected[i]) && std::isnan(got[i])) continue;
    throw Failure(std::string(what) + ": " + name + index_of(expected, i) + " is " + number(got[i]) + " instead of " +
                  number(expected[i]) + " (difference " + number(got[i] - expected[i]) + ")");
  }
}

}  // namespace

double expect_close(const Workload& workload, const Reference& reference, const Result& expected, const Result& result,
                    double allowance) {
  const Spec& spec = workload.spec;
  Judge out("out", result.out, allowance), lse("lse", result.lse, allowance),
      weights("weights", result.weights, allowance);
  const double epsilon_p = weight_rounding(spec.value);
  for_each_row(workload, [&](std::int64_t b, std::int64_t h, std::int64_t i) {
    const std::int64_t at = workload.lse_at(b, h, i);
    const RowReference& row = reference.rows[static_cast<std::size_t>(at)];
    if (row.open) return;
    const double relative = relative_tolerance(spec.head_dim, row.amplitude);
    const std::int64_t first = workload.out_at(b, h, i);
    for (std::int64_t d = first; d < first + spec.value_dim; ++d) {
      if (reference.open[static_cast<std::size_t>(d)] != 0) continue;
      const double mass = reference.mass[static_cast<std::size_t>(d)];
      out.expect(d, row.empty ? 0 : expected.out[d],
                 row.empty ? 0 : out_tolerance(relative, epsilon_p, mass, row.attended));
    }
    if (!result.lse.empty()) lse.expect(at, expected.lse[at], lse_tolerance(relative, expected.lse[at]));
    if (!result.weights.empty()) judge_weights(weights, workload, row, expected.weights, at * spec.keys, relative);
  });
  return std::max({out.verdict(workload), lse.verdict(workload), weights.verdict(workload)});
}

void expect_sound_oracle(const Workload& workload, const Reference& reference, const Result& oracle) {
  for_each_row(workload, [&](std::int64_t b, std::int64_t h, std::int64_t i) {
    const RowReference& row = reference.rows[static_cast<std::size_t>(workload.lse_at(b, h, i))];
    const double relative = relative_tolerance(workload.spec.head_dim, row.amplitude) * 0x1p-24;
    for (std::int64_t d = 0; d < workload.spec.value_dim && !row.open; ++d) {
      const std::int64_t at = workload.out_at(b, h, i) + d;
      const auto element = static_cast<std::size_t>(at);
      const double mine = reference.out[element], theirs = oracle.out[at];
      if (reference.open[element] != 0 || (std::isnan(mine) && std::isnan(theirs)) || mine == theirs) continue;
      if (std::abs(mine - theirs) <= relative * reference.mass[element] + 0x1p-1000) continue;
      throw Failure("the oracle is wrong, or the suite's own reference is: out" + index_of(oracle.out, at) + " is " +
                    number(theirs) + " and " + number(mine) + "; " + describe(workload.spec));
    }
  });
}

void expect_same_bits(const Result& expected, const Result& result, std::string_view what) {
  compare_bits("out", expected.out, result.out, what);
  compare_bits("lse", expected.lse, result.lse, what);
  compare_bits("weights", expected.weights, result.weights, what);
}

}  // namespace attune::conformance
