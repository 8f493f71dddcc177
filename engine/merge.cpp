// Joins two partial results over disjoint sets of keys: out = (e^lse_a · a + e^lse_b · b) / (e^lse_a + e^lse_b).
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include <attune/engine.hpp>

#include "engine/complaint.hpp"
#include "engine/layout.hpp"
#include "engine/tensor_checks.hpp"

namespace attune {
namespace {

using namespace detail;

struct MergedRow {
  double weight_a = 0;
  double weight_b = 0;
  double lse = 0;
};

/// The maximum is taken out first, so that no exponential overflows. Two empty parts: nothing, and lse −inf.
MergedRow merge_row(double lse_a, double lse_b) noexcept {
  constexpr double empty = -std::numeric_limits<double>::infinity();
  if (lse_a == empty && lse_b == empty) return {0, 0, empty};
  const double largest = std::fmax(lse_a, lse_b);
  const double a = std::exp(lse_a - largest);
  const double b = std::exp(lse_b - largest);
  return {a / (a + b), b / (a + b), largest + std::log(a + b)};
}

/// A part of weight 0 is empty: what it holds does not matter.
double weighted(double weight, float x) noexcept { return weight == 0 ? 0 : weight * static_cast<double>(x); }

void check_part(const char* name, const TensorView& tensor, int rank, const TensorLayout& like) {
  check_rank(name, tensor, rank, rank, rank == 4 ? "4, [batch, heads, queries, dim]" : "3, [batch, heads, queries]");
  check_f32(name, tensor);
  check_sizes(name, tensor);
  check_memory(name, tensor);
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(rank); ++axis) {
    if (tensor.shape[axis] == like.shape[axis]) continue;
    refuse_argument(name, "shape is " + shape_text(tensor) + ", which does not fit out_a's, " + shape_text(like));
  }
}

bool same_elements(const TensorView& a, const TensorView& b) noexcept {
  return a.data == b.data && a.shape == b.shape && a.strides == b.strides;
}

/// A result may stand exactly where its own part stood: each element is read before it is written.
void check_result(const char* name, const TensorView& result, const char* other_name, const TensorView& other,
                  bool in_place) {
  if ((in_place && same_elements(result, other)) || !overlap(result, other)) return;
  refuse_argument(name, std::string("overlaps ") + other_name);
}

void check_merge(const TensorView& out_a, const TensorView& lse_a, const TensorView& out_b, const TensorView& lse_b,
                 const TensorView& out, const TensorView& lse) {
  check_part("out_a", out_a, 4, out_a);
  check_part("lse_a", lse_a, 3, out_a);
  check_part("out_b", out_b, 4, out_a);
  check_part("lse_b", lse_b, 3, out_a);
  check_part("out", out, 4, out_a);
  check_part("lse", lse, 3, out_a);
  if (overlaps_itself(out)) refuse_argument("out", "its elements overlap each other");
  if (overlaps_itself(lse)) refuse_argument("lse", "its elements overlap each other");
  check_result("out", out, "out_a", out_a, true);
  check_result("out", out, "out_b", out_b, true);
  check_result("out", out, "lse_a", lse_a, false);
  check_result("out", out, "lse_b", lse_b, false);
  check_result("lse", lse, "lse_a", lse_a, true);
  check_result("lse", lse, "lse_b", lse_b, true);
  check_result("lse", lse, "out_a", out_a, false);
  check_result("lse", lse, "out_b", out_b, false);
  check_result("lse", lse, "out", out, false);
}

std::int64_t row_start(const TensorLayout& layout, std::int64_t b, std::int64_t h, std::int64_t i) noexcept {
  return b * layout.strides[0] + h * layout.strides[1] + i * layout.strides[2];
}

}  // namespace

void merge_states(const TensorView& out_a, const TensorView& lse_a, const TensorView& out_b, const TensorView& lse_b,
                  const MutableTensorView& out, const MutableTensorView& lse) {
  check_merge(out_a, lse_a, out_b, lse_b, out, lse);
  const auto merge_one = [&](std::int64_t b, std::int64_t h, std::int64_t i) {
    const MergedRow row = merge_row(static_cast<double>(lse_a.as<float>()[row_start(lse_a, b, h, i)]),
                                    static_cast<double>(lse_b.as<float>()[row_start(lse_b, b, h, i)]));
    const float* a = out_a.as<float>() + row_start(out_a, b, h, i);
    const float* other = out_b.as<float>() + row_start(out_b, b, h, i);
    float* result = out.as<float>() + row_start(out, b, h, i);
    for (std::int64_t d = 0; d < out.shape[3]; ++d) {
      result[d * out.strides[3]] = static_cast<float>(weighted(row.weight_a, a[d * out_a.strides[3]]) +
                                                      weighted(row.weight_b, other[d * out_b.strides[3]]));
    }
    lse.as<float>()[row_start(lse, b, h, i)] = static_cast<float>(row.lse);
  };
  for (std::int64_t b = 0; b < out.shape[0]; ++b) {
    for (std::int64_t h = 0; h < out.shape[1]; ++h) {
      for (std::int64_t i = 0; i < out.shape[2]; ++i) merge_one(b, h, i);
    }
  }
}

}  // namespace attune
