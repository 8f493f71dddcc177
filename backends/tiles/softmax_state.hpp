// The streaming softmax of one row between blocks and parts of keys: a maximum m, in units of log2 or (natural) of e,
// and the sum l of the weights under it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <attune/arguments.hpp>

namespace attune::tiles {

/// The units of a group's scores, and the scale that takes products there.
struct ScoreUnits {
  bool natural;  // of the natural logarithm, else of log2
  float scale;
};

/// Would the number be infinite in units of log2 though it is not?
inline bool leaves_log2(double number) noexcept {
  return std::isfinite(number) && std::abs(number) * std::numbers::log2e > std::numeric_limits<float>::max();
}

inline bool sinks_leave_log2(const Arguments& arguments, std::int64_t kv_head) noexcept {
  const TensorView& sinks = arguments.sinks;
  if (sinks.data == nullptr) return false;
  const std::int64_t first = kv_head * arguments.group();
  for (std::int64_t head = first; head < first + arguments.group(); ++head)
    if (leaves_log2(static_cast<double>(sinks.as<float>()[head * sinks.strides[0]]))) return true;
  return false;
}

/// log2, where weights are exp2; natural where something is added: the lowest finite bias times log2 e would be −inf.
inline ScoreUnits score_units(const Arguments& arguments, std::int64_t kv_head) noexcept {
  const bool float_mask = arguments.mask.data != nullptr && arguments.mask.dtype != DType::boolean;
  const bool natural = float_mask || arguments.alibi_slopes.data != nullptr || arguments.softcap > 0 ||
                       leaves_log2(arguments.scale) || sinks_leave_log2(arguments, kv_head);
  return {natural, static_cast<float>(arguments.scale * (natural ? 1.0 : std::numbers::log2e))};
}

/// Where the sum starts for a row with this sink: the sink is one key of weight exp(sink − m), without a value.
inline float first_sum(float sink) noexcept {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  if (std::isnan(sink) || sink == infinity) return std::numeric_limits<float>::quiet_NaN();
  return sink == -infinity ? 0.0f : 1.0f;
}

/// Where the maximum starts for such a row.
inline float first_maximum(float sink, bool natural) noexcept {
  return static_cast<float>(static_cast<double>(sink) * (natural ? 1.0 : std::numbers::log2e));
}

/// What a sum kept under the maximum m is worth under the larger maximum `joint`.
inline float rescaling(float m, float joint, bool natural) noexcept {
  if (m == joint) return 1.0f;
  const float lowest = std::numeric_limits<float>::lowest();
  const double difference = static_cast<double>(std::max(m, lowest)) - static_cast<double>(std::max(joint, lowest));
  return static_cast<float>(natural ? std::exp(difference) : std::exp2(difference));
}

/// log Σ exp of the row's scores.
inline float log_sum_exp(float m, float l, bool natural) noexcept {
  const double natural_m = static_cast<double>(m) * (natural ? 1.0 : std::numbers::ln2);
  return l == 0.0f ? -std::numeric_limits<float>::infinity()
                   : static_cast<float>(natural_m + std::log(static_cast<double>(l)));
}

}  // namespace attune::tiles
