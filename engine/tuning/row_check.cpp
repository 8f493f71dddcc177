#include "engine/tuning/row_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <attune/backend.hpp>
#include <attune/tolerance.hpp>

#include "backends/naive/element.hpp"
#include "backends/naive/naive.hpp"

namespace attune::detail {
namespace {

using naive::load;

/// The call as if it had but one query of one head: what naive is asked to compute.
Arguments one_row(const Arguments& all, std::int64_t member_index, std::int64_t head, std::int64_t i) {
  const Member member = all.member(member_index);
  const auto at = [](TensorView tensor, std::int64_t offset) {
    if (tensor.data == nullptr) return tensor;
    tensor.data =
        static_cast<const std::byte*>(tensor.data) + offset * static_cast<std::int64_t>(size_of(tensor.dtype));
    return tensor;
  };
  const auto rows = [&at](const TensorView& t, std::int64_t batch, std::int64_t h, std::int64_t row,
                          std::int64_t count) {
    TensorView result = at(t, batch * t.strides[0] + h * t.strides[1] + row * t.strides[2]);
    result.shape = {1, 1, count, t.shape[3]};
    return result;
  };
  Arguments a = all;
  const std::int64_t kv_head = head / all.group();
  a.query = rows(all.query, member.batch, head, member.first_query + i, 1);
  a.key = rows(all.key, member.batch, kv_head, member.first_key, member.keys);
  a.value = rows(all.value, member.batch, kv_head, member.first_key, member.keys);
  a.mask = at(all.mask, member.batch * all.mask.strides[0] + head * all.mask.strides[1] + i * all.mask.strides[2]);
  if (all.block_mask.data != nullptr) {
    const auto& m = all.block_mask.strides;
    a.block_mask = at(all.block_mask, member_index * m[0] + head * m[1] + i / all.block_queries * m[2]);
  }
  a.alibi_slopes =
      at(all.alibi_slopes, member_index * all.alibi_slopes.strides[0] + head * all.alibi_slopes.strides[1]);
  a.sinks = at(all.sinks, head * all.sinks.strides[0]);
  a.align = Align::at(Arguments::position(member, i));
  a.key_lengths = a.cu_seqlens_q = a.cu_seqlens_k = {};
  a.weights = {};
  a.members = a.heads = a.kv_heads = 1;
  return a;
}

/// What naive says of one row.
struct Answer {
  std::vector<double> out;
  double lse = 0;
};

class Oracle {
 public:
  explicit Oracle(const Arguments& all) {
    Problem problem;
    problem.head_dim = all.head_dim;
    problem.value_dim = all.value_dim;
    plan_ = make_naive()->plan(problem, {});
    extents_.keys = all.key.shape[2];
    workspace_.resize(plan_->workspace_bytes(extents_, 1) / sizeof(double));
  }

  Answer compute(Arguments row) {
    Answer result{std::vector<double>(static_cast<std::size_t>(row.value_dim)), 0};
    row.out = view(result.out.data(), bhsd(1, 1, 1, row.value_dim));
    row.lse = view(&result.lse, contiguous({1, 1, 1}));
    InlineExecutor executor;
    plan_->execute(row, std::as_writable_bytes(std::span(workspace_)), executor);
    return result;
  }

 private:
  std::shared_ptr<const Plan> plan_;
  Extents extents_;
  std::vector<double> workspace_;
};

/// The row with |value| in place of value: its result is the mass Σ w|v| of the tolerance.
class AbsoluteValues {
 public:
  explicit AbsoluteValues(const Arguments& row) : row_(row) {
    const auto& v = row.value;
    for (std::int64_t j = 0; j < v.shape[2]; ++j) {
      for (std::int64_t d = 0; d < row.value_dim; ++d) {
        values_.push_back(std::abs(load(v, j * v.strides[2] + d * v.strides[3])));
      }
    }
    row_.value = view(std::as_const(values_).data(), bhsd(1, 1, v.shape[2], row.value_dim));
  }
  const Arguments& row() const noexcept { return row_; }

 private:
  std::vector<double> values_;
  Arguments row_;
};

/// At least the A of the tolerance: the largest Σ|q·k|, bias and cap of the attended keys, and |row maximum|, which
/// lies within ln(keys + 1) of the lse.
double amplitude(const Arguments& row, double lse) {
  const auto& q = row.query;
  const auto& k = row.key;
  const Member member = row.member(0);
  const KeyRange keys = row.attended_keys(member, 0);
  const bool biased = row.mask.data != nullptr && row.mask.dtype != DType::boolean;
  const double slope = row.alibi_slopes.data != nullptr ? std::abs(load(row.alibi_slopes, 0)) : 0;
  double largest = 0;
  for (std::int64_t j = keys.begin; j < keys.end; ++j) {
    double terms = 0;
    for (std::int64_t d = 0; d < row.head_dim; ++d) {
      terms += std::abs(load(q, d * q.strides[3]) * load(k, j * k.strides[2] + d * k.strides[3]));
    }
    double score = std::abs(row.scale) * terms + row.softcap;
    if (biased) score += std::abs(load(row.mask, j * row.mask.strides[3]));
    score += slope * std::abs(static_cast<double>(Arguments::position(member, 0) - j));
    largest = std::max(largest, score);
  }
  if (!std::isfinite(lse)) return largest;
  return largest + std::abs(lse) + std::log(static_cast<double>(row.key.shape[2]) + 1);
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string difference(const char* what, std::int64_t member, std::int64_t head, std::int64_t query, double got,
                       double expected, double tolerance) {
  return std::string(what) + " of member " + std::to_string(member) + ", head " + std::to_string(head) + ", query " +
         std::to_string(query) + " is " + number(got) + ", the definition says " + number(expected) + " ± " +
         number(tolerance);
}

/// First, last and a few between, each once.
std::set<std::int64_t> sampled(std::int64_t count, std::int64_t most) {
  std::set<std::int64_t> result;
  for (std::int64_t n = 0; n < std::min(count, most); ++n) {
    result.insert(most == 1 ? 0 : n * (count - 1) / (std::min(count, most) - 1 + (count == 1)));
  }
  return result;
}

}  // namespace

RowCheck::RowCheck(const Arguments& arguments) : arguments_(arguments) {
  Oracle oracle(arguments);
  for (const std::int64_t member : sampled(arguments.members, 2)) {
    for (const std::int64_t head : sampled(arguments.heads, 3)) {
      for (const std::int64_t query : sampled(arguments.member(member).queries, 4)) {
        const Arguments row = one_row(arguments, member, head, query);
        const Answer expected = oracle.compute(row);
        const AbsoluteValues absolute(row);
        const Answer mass = oracle.compute(absolute.row());
        const double relative = tolerance::relative_tolerance(row.head_dim, amplitude(row, expected.lse));
        const double epsilon_p = tolerance::weight_rounding(row.value.dtype);
        Row& added = rows_.emplace_back();
        added = {member, head, query, expected.out, {}, expected.lse, tolerance::lse_tolerance(relative, expected.lse)};
        for (const double m : mass.out) {
          added.allowed.push_back(tolerance::out_tolerance(relative, epsilon_p, m, row.key.shape[2]));
        }
      }
    }
  }
}

std::string RowCheck::fault() const {
  for (const Row& row : rows_) {
    std::string words = fault_of(row);
    if (!words.empty()) return words;
  }
  return "";
}

std::string RowCheck::fault_of(const Row& row) const {
  const Member member = arguments_.member(row.member);
  const std::int64_t query = member.first_query + row.query;
  const auto told = [&row](const char* what, double got, double expected, double allowed) {
    return difference(what, row.member, row.head, row.query, got, expected, allowed);
  };
  const auto& o = arguments_.out.strides;
  for (std::int64_t d = 0; d < arguments_.value_dim; ++d) {
    const double expected = row.out[static_cast<std::size_t>(d)];
    const double got = load(arguments_.out, member.batch * o[0] + row.head * o[1] + query * o[2] + d * o[3]);
    const double rounding = tolerance::half_ulp(arguments_.out.dtype, std::max(std::abs(got), std::abs(expected)));
    const double allowed = row.allowed[static_cast<std::size_t>(d)] + rounding;
    if (!(std::abs(got - expected) <= allowed)) return told("out", got, expected, allowed);
  }
  if (arguments_.lse.data == nullptr) return "";
  const auto& l = arguments_.lse.strides;
  const double got = load(arguments_.lse, member.batch * l[0] + row.head * l[1] + query * l[2]);
  const double allowed = row.lse_allowed + tolerance::half_ulp(DType::f32, std::abs(got));
  if (got == row.lse || std::abs(got - row.lse) <= allowed) return "";
  return told("lse", got, row.lse, allowed);
}

}  // namespace attune::detail
