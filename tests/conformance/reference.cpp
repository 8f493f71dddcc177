#include "tests/conformance/reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <attune/tolerance.hpp>

namespace attune::conformance {
namespace {

using namespace tolerance;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double largest_f32 = std::numeric_limits<float>::max();

struct Score {
  double value = -infinity;
  double amplitude = 0;    // how large the terms were that it was summed from
  bool overflows = false;  // in f32
};

/// Evaluates row after row, in the order of the definition.
class Evaluation {
 public:
  explicit Evaluation(const Workload& workload) : w_(workload), scale_(workload.spec.scale_value()) {
    result_.rows.resize(workload.lse_array().values.size());
    result_.out.resize(workload.out_array().values.size());
    result_.mass.resize(result_.out.size());
    result_.open.resize(result_.out.size());
    if (workload.spec.weights) result_.weights.resize(workload.weights_array().values.size());
    const auto mask_strides = workload.mask.strides();
    const std::size_t lead = static_cast<std::size_t>(max_rank - workload.mask.rank);
    for (std::size_t axis = lead; axis < max_rank; ++axis)
      if (workload.mask.shape[axis - lead] != 1) mask_strides_[axis] = mask_strides[axis - lead];
  }

  Reference run() {
    for (std::int64_t b = 0; b < w_.spec.members(); ++b)
      for (std::int64_t h = 0; h < w_.spec.heads; ++h)
        for (std::int64_t i = 0; i < w_.queries_of(b); ++i) evaluate_row(b, h, i);
    return std::move(result_);
  }

 private:
  double mask_at(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) const {
    return w_.mask[b * mask_strides_[0] + h * mask_strides_[1] + i * mask_strides_[2] + j * mask_strides_[3]];
  }

  bool attends(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) const {
    const Spec& spec = w_.spec;
    // In long double: offsets and windows may be anything that 64 bits hold.
    const long double distance = static_cast<long double>(j) - i - w_.offset_of(b);  // j − p
    if (spec.causal && distance > 0) return false;
    if (spec.window_left >= 0 && distance < -static_cast<long double>(spec.window_left)) return false;
    if (spec.window_right >= 0 && distance > static_cast<long double>(spec.window_right)) return false;
    if (spec.has_block_mask() && w_.block_mask[w_.block_at(b, h, i, j)] == 0) return false;
    return spec.mask != MaskKind::boolean || mask_at(b, h, i, j) != 0;
  }

  Score score(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) const {
    const Spec& spec = w_.spec;
    const double* const q = w_.query_row(b, h, i);
    const double* const k = w_.key_row(b, h, j);
    double dot = 0, terms = 0;
    for (std::int64_t d = 0; d < spec.head_dim; ++d) {
      dot += q[d] * k[d];
      terms += std::abs(q[d] * k[d]);
    }
    Score s{scale_ * dot, std::abs(scale_) * terms, false};
    s.overflows = terms > largest_f32 / 4 && std::isfinite(dot);
    if (spec.softcap > 0) {
      s.overflows = s.overflows || std::isinf(s.value);  // a cap makes an infinite score finite: left open
      s.value = spec.softcap * std::tanh(s.value / spec.softcap);
      s.amplitude += spec.softcap;
    }
    double bias = 0;
    if (spec.mask != MaskKind::none && spec.mask != MaskKind::boolean) bias += mask_at(b, h, i, j);
    if (spec.alibi != Alibi::none) {
      const double slope = w_.alibi[spec.alibi == Alibi::per_batch ? b * spec.heads + h : h];
      bias -= slope * std::abs(static_cast<double>(i + w_.offset_of(b) - j));
    }
    s.value += bias;
    s.amplitude += std::abs(bias);
    return s;
  }

  void evaluate_row(std::int64_t b, std::int64_t h, std::int64_t i) {
    const std::int64_t keys = w_.keys_of(b);
    scores_.assign(static_cast<std::size_t>(keys), Score{});
    RowReference row;
    double maximum = w_.spec.sinks ? w_.sinks[h] : -infinity;
    bool poisoned = false;
    for (std::int64_t j = 0; j < keys; ++j) {
      if (!attends(b, h, i, j)) continue;
      const Score s = scores_[static_cast<std::size_t>(j)] = score(b, h, i, j);
      poisoned = poisoned || std::isnan(s.value) || s.value == infinity;
      row.open = row.open || s.overflows;
      if (s.value > -infinity) ++row.attended;
      maximum = std::max(maximum, s.value);
    }
    row.empty = row.attended == 0 && !poisoned;
    for (const Score& s : scores_)
      if (s.value >= maximum - reach) row.amplitude = std::max(row.amplitude, s.amplitude);
    if (std::isfinite(maximum)) row.amplitude += std::abs(maximum);
    finish_row(b, h, i, row, poisoned ? std::nan("") : maximum);
  }

  /// Softmax and the product with V; `maximum` is NaN in a row that attends a NaN or +inf score.
  void finish_row(std::int64_t b, std::int64_t h, std::int64_t i, RowReference& row, double maximum) {
    double sum = w_.spec.sinks ? std::exp(w_.sinks[h] - maximum) : 0;
    for (const Score& s : scores_)
      if (s.value > -infinity || std::isnan(maximum)) sum += std::exp(s.value - maximum);
    row.lse = maximum == -infinity ? -infinity : maximum + std::log(sum);
    const std::int64_t out = w_.out_at(b, h, i);
    for (std::int64_t j = 0; j < w_.keys_of(b); ++j) {
      const Score& s = scores_[static_cast<std::size_t>(j)];
      if (s.value == -infinity) continue;
      const double weight = std::exp(s.value - row.lse);
      if (!result_.weights.empty())
        result_.weights[static_cast<std::size_t>(w_.lse_at(b, h, i) * w_.spec.keys + j)] = weight;
      add_value(out, w_.value_row(b, h, j), weight);
    }
    if (std::isnan(maximum)) std::fill_n(result_.out.begin() + out, w_.spec.value_dim, std::nan(""));
    result_.rows[static_cast<std::size_t>(w_.lse_at(b, h, i))] = row;
  }

  void add_value(std::int64_t out, const double* value, double weight) {
    constexpr double vanishing = 0x1p-100;  // such a weight may have been flushed to zero, and 0 · inf is NaN
    for (std::int64_t d = 0; d < w_.spec.value_dim; ++d) {
      const auto at = static_cast<std::size_t>(out + d);
      result_.out[at] += weight * value[d];
      result_.mass[at] += weight * std::abs(value[d]);
      if (weight < vanishing && !std::isfinite(value[d])) result_.open[at] = 1;
    }
  }

  const Workload& w_;
  double scale_;
  std::array<std::int64_t, max_rank> mask_strides_{};
  std::vector<Score> scores_;  // of the row at hand
  Reference result_;
};

}  // namespace

Reference evaluate(const Workload& workload) { return Evaluation(workload).run(); }

}  // namespace attune::conformance
