// A small right backend: plain attention in f32, a row after the other, with two passes over the keys.
#pragma once

#include <attune/plugin.hpp>

#include <cmath>

namespace {

struct Strided {
  explicit Strided(const attune::TensorView& view) : data(view.as<float>()), strides(view.strides) {}
  float at(std::int64_t b, std::int64_t h, std::int64_t row, std::int64_t d) const {
    return data[b * strides[0] + h * strides[1] + row * strides[2] + d * strides[3]];
  }
  const float* data;
  std::array<std::int64_t, 4> strides;
};

class HealthyPlan : public attune::Plan {
 public:
  using Plan::Plan;

  /// The scores of one row.
  std::size_t workspace_bytes(const attune::Extents& extents, int) const noexcept override {
    return sizeof(double) * static_cast<std::size_t>(extents.keys);
  }

  attune::Status execute(const attune::Arguments& a, std::span<std::byte> workspace,
                         attune::Executor&) const noexcept override {
    auto* scores = reinterpret_cast<double*>(workspace.data());
    for (std::int64_t b = 0; b < a.members; ++b) {
      for (std::int64_t h = 0; h < a.heads; ++h) {
        for (std::int64_t i = 0; i < a.query.shape[2]; ++i) attend(a, b, h, i, scores);
      }
    }
    return attune::Status::ok;
  }

  std::string describe(const attune::Extents&, int) const override { return "one row after the other"; }

 protected:
  static void attend(const attune::Arguments& a, std::int64_t b, std::int64_t h, std::int64_t i, double* scores) {
    const Strided query(a.query), key(a.key), value(a.value);
    const std::int64_t kv_head = h / a.group(), keys = a.key.shape[2];
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t j = 0; j < keys; ++j) {
      double product = 0;
      for (std::int64_t d = 0; d < a.head_dim; ++d) {
        product += static_cast<double>(query.at(b, h, i, d)) * static_cast<double>(key.at(b, kv_head, j, d));
      }
      scores[j] = a.scale * product;
      if (!(scores[j] <= largest)) largest = scores[j];  // NaN too
    }
    const bool empty = largest == -std::numeric_limits<double>::infinity();
    double sum = 0;
    for (std::int64_t j = 0; j < keys; ++j) sum += scores[j] = empty ? 0 : std::exp(scores[j] - largest);
    const auto& s = a.out.strides;
    for (std::int64_t d = 0; d < a.value_dim; ++d) {
      double result = 0;
      for (std::int64_t j = 0; j < keys; ++j) {
        if (scores[j] != 0) result += scores[j] * static_cast<double>(value.at(b, kv_head, j, d));
      }
      a.out.as<float>()[b * s[0] + h * s[1] + i * s[2] + d * s[3]] = static_cast<float>(empty ? 0 : result / sum);
    }
  }
};

/// Why it does not take a problem; null: it does.
inline const char* objection(const attune::Problem& problem) {
  using attune::Feature;
  const std::uint64_t refused = problem.features() & ~static_cast<std::uint64_t>(Feature::gqa);
  return refused == 0 ? nullptr : attune::name(static_cast<Feature>(refused & (~refused + 1)));
}

class Healthy : public attune::Backend {
 public:
  std::string_view name() const noexcept override { return "healthy"; }
  std::string_view description() const noexcept override { return "a test's plugin that does nothing wrong"; }
  attune::TraitSet traits() const noexcept override { return attune::TraitSet::all(); }
  bool supports(const attune::Problem& problem, const attune::Extents&, std::string* reason) const override {
    const char* why = objection(problem);
    return why == nullptr || attune::refuse(reason, std::string("it does not take ") + why);
  }
  double estimate(const attune::Problem& problem, const attune::Extents& extents, const attune::Machine&,
                  int) const noexcept override {
    return attune::flops(problem, extents) / 1e9;
  }
  std::shared_ptr<const attune::Plan> plan(const attune::Problem& problem, const attune::Machine&) const override {
    return std::make_shared<HealthyPlan>(problem);
  }
};

}  // namespace
