// The definition of attention. For each query row i of each head:
//
//   s[j] = scale · Σ_d q[i][d] · k[j][d];   s[j] = c · tanh(s[j] / c);   s[j] += mask[i][j] − slope · |p − j|
//   over the keys j that causal, window, lengths, a bool mask and a map of blocks leave:
//   w[j] = e^(s[j] − m) / (e^(sink − m) + Σ_j e^(s[j] − m)),  m the largest of all s[j] and the sink
//   out[i] = Σ_j w[j] · v[j];   lse[i] = m + ln(the denominator)
//
// Everything is computed in double and rounded once, when it is stored. Time O(B · H · Sq · Sk · (D + Dv));
// memory beyond the tensors: one row of scores and one row of out.
#include "backends/naive/naive.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "backends/naive/element.hpp"

namespace attune {
namespace {

using naive::load;
using naive::store;

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

/// One query row of one head of one batch member: where its elements are.
struct Row {
  std::int64_t batch = 0, head = 0, kv_head = 0, query = 0;  // indices into the tensors
  std::int64_t member = 0, member_query = 0;                 // which member, and which of its queries
  std::int64_t position = 0;                                 // where the query stands among the keys
  std::int64_t first_key = 0;                                // the member's first row of key and value
  KeyRange keys;                                             // what causal, window and lengths leave
};

/// Σ_d q[d] · k[d], not yet scaled.
double dot(const Arguments& a, const Row& row, std::int64_t j) noexcept {
  const auto& q = a.query.strides;
  const auto& k = a.key.strides;
  const std::int64_t query = row.batch * q[0] + row.head * q[1] + row.query * q[2];
  const std::int64_t key = row.batch * k[0] + row.kv_head * k[1] + (row.first_key + j) * k[2];
  double sum = 0;
  for (std::int64_t d = 0; d < a.head_dim; ++d) sum += load(a.query, query + d * q[3]) * load(a.key, key + d * k[3]);
  return sum;
}

std::int64_t mask_index(const Arguments& a, const Row& row, std::int64_t j) noexcept {
  const auto& m = a.mask.strides;
  return row.batch * m[0] + row.head * m[1] + row.query * m[2] + j * m[3];
}

/// A false mask, of single keys or of blocks, takes the key away, whatever the key holds. Bools are read as bytes: any
/// value but 0 is true.
bool masked(const Arguments& a, const Row& row, std::int64_t j) noexcept {
  if (!a.block_attended(row.member, row.head, row.member_query, j)) return true;
  if (a.mask.data == nullptr || a.mask.dtype != DType::boolean) return false;
  return a.mask.as<std::uint8_t>()[mask_index(a, row, j)] == 0;
}

double slope(const Arguments& a, std::int64_t member, std::int64_t head) noexcept {
  if (a.alibi_slopes.data == nullptr) return 0;
  return load(a.alibi_slopes, member * a.alibi_slopes.strides[0] + head * a.alibi_slopes.strides[1]);
}

double sink(const Arguments& a, std::int64_t head) noexcept {
  return a.sinks.data == nullptr ? minus_infinity : load(a.sinks, head * a.sinks.strides[0]);
}

/// The logit of an attended key: product, scale, softcap, bias, in this order.
double score(const Arguments& a, const Row& row, std::int64_t j, double alibi_slope) noexcept {
  double s = a.scale * dot(a, row, j);
  if (a.softcap > 0) s = a.softcap * std::tanh(s / a.softcap);
  if (a.mask.data != nullptr && a.mask.dtype != DType::boolean) s += load(a.mask, mask_index(a, row, j));
  if (a.alibi_slopes.data != nullptr) s -= alibi_slope * std::abs(static_cast<double>(row.position - j));
  return s;
}

/// The statistics of one row: m and the denominator. NaN where the row attends a NaN or +inf.
struct Softmax {
  double largest = minus_infinity;
  double sum = 0;

  bool empty() const noexcept { return largest == minus_infinity; }
  double lse() const noexcept { return largest + std::log(sum); }  // of an empty row: −inf + ln 0
};

/// A score of −inf has weight 0, in a row of NaN too: −0, which no other score gives, so that its value is left alone.
double exponential(double s, double largest) noexcept { return s == minus_infinity ? -0.0 : std::exp(s - largest); }

bool left_out(double weight) noexcept { return weight == 0 && std::signbit(weight); }

double largest_of(std::span<const double> scores, double sink_logit) noexcept {
  double largest = sink_logit;
  for (const double s : scores) {
    if (std::isnan(s)) return s;
    if (s > largest) largest = s;
  }
  return largest < std::numeric_limits<double>::infinity() ? largest : std::numeric_limits<double>::quiet_NaN();
}

/// Turns the scores into e^(s − m); the sink joins the maximum and the sum.
Softmax softmax(std::span<double> scores, double sink_logit) noexcept {
  Softmax result;
  result.largest = largest_of(scores, sink_logit);
  result.sum = exponential(sink_logit, result.largest);
  for (double& s : scores) {
    s = exponential(s, result.largest);
    result.sum += s;
  }
  return result;
}

/// out = Σ_j w[j] · v[j]. A value that is left out is not read, so that nothing it holds can matter.
void write_out(const Arguments& a, const Row& row, std::span<const double> exponentials, const Softmax& statistics,
               std::span<double> sums) noexcept {
  const auto& v = a.value.strides;
  const auto& o = a.out.strides;
  for (double& sum : sums) sum = 0;
  for (std::int64_t j = row.keys.begin; j < row.keys.end; ++j) {
    const double exponential_j = exponentials[static_cast<std::size_t>(j - row.keys.begin)];
    if (left_out(exponential_j)) continue;
    const std::int64_t value = row.batch * v[0] + row.kv_head * v[1] + (row.first_key + j) * v[2];
    for (std::int64_t d = 0; d < a.value_dim; ++d) {
      sums[static_cast<std::size_t>(d)] += exponential_j * load(a.value, value + d * v[3]);
    }
  }
  const std::int64_t out = row.batch * o[0] + row.head * o[1] + row.query * o[2];
  for (std::int64_t d = 0; d < a.value_dim; ++d) {
    const double sum = sums[static_cast<std::size_t>(d)];
    store(a.out, out + d * o[3], statistics.empty() ? 0 : sum / statistics.sum);
  }
}

void write_lse(const Arguments& a, const Row& row, const Softmax& statistics) noexcept {
  if (a.lse.data == nullptr) return;
  const auto& l = a.lse.strides;
  store(a.lse, row.batch * l[0] + row.head * l[1] + row.query * l[2], statistics.lse());
}

/// Also the keys that are not attended get a weight: exactly 0.
void write_weights(const Arguments& a, const Row& row, std::span<const double> exponentials,
                   const Softmax& statistics) noexcept {
  if (a.weights.data == nullptr) return;
  const auto& w = a.weights.strides;
  const std::int64_t first = row.batch * w[0] + row.head * w[1] + row.query * w[2];
  for (std::int64_t j = 0; j < a.weights.shape[3]; ++j) {
    const bool attended = j >= row.keys.begin && j < row.keys.end;
    const double numerator = attended ? exponentials[static_cast<std::size_t>(j - row.keys.begin)] : -0.0;
    store(a.weights, first + j * w[3], left_out(numerator) ? 0 : numerator / statistics.sum);
  }
}

/// One row, start to end. `scores` has room for the keys that are left, `sums` for one row of out.
void attend(const Arguments& a, const Row& row, double alibi_slope, std::span<double> scores,
            std::span<double> sums) noexcept {
  for (std::int64_t j = row.keys.begin; j < row.keys.end; ++j) {
    scores[static_cast<std::size_t>(j - row.keys.begin)] =
        masked(a, row, j) ? minus_infinity : score(a, row, j, alibi_slope);
  }
  const Softmax statistics = softmax(scores, sink(a, row.head));
  write_out(a, row, scores, statistics, sums);
  write_lse(a, row, statistics);
  write_weights(a, row, scores, statistics);
}

void attend_member(const Arguments& a, std::int64_t index, std::span<double> scores, std::span<double> sums) noexcept {
  const Member member = a.member(index);
  for (std::int64_t head = 0; head < a.heads; ++head) {
    for (std::int64_t i = 0; i < member.queries; ++i) {
      const Row row{.batch = member.batch,
                    .head = head,
                    .kv_head = head / a.group(),
                    .query = member.first_query + i,
                    .member = index,
                    .member_query = i,
                    .position = Arguments::position(member, i),
                    .first_key = member.first_key,
                    .keys = a.attended_keys(member, i)};
      const auto count = static_cast<std::size_t>(row.keys.end - row.keys.begin);
      attend(a, row, slope(a, index, head), scores.first(count), sums);
    }
  }
}

class NaivePlan final : public Plan {
 public:
  using Plan::Plan;

  std::size_t workspace_bytes(const Extents& extents, int) const noexcept override {
    return sizeof(double) * static_cast<std::size_t>(extents.keys + problem().value_dim);
  }

  Status execute(const Arguments& a, std::span<std::byte> workspace, Executor&) const noexcept override {
    const std::span doubles(reinterpret_cast<double*>(workspace.data()), workspace.size() / sizeof(double));
    const std::span sums = doubles.first(static_cast<std::size_t>(a.value_dim));
    const std::span scores = doubles.subspan(sums.size());
    for (std::int64_t member = 0; member < a.members; ++member) attend_member(a, member, scores, sums);
    return Status::ok;
  }

  std::string describe(const Extents&, int) const override { return "one row after the other, in double, one thread"; }
};

class Naive final : public Backend {
 public:
  std::string_view name() const noexcept override { return "naive"; }
  std::string_view description() const noexcept override {
    return "the definition in plain loops and double: the oracle";
  }
  TraitSet traits() const noexcept override { return TraitSet::all(); }

  bool supports(const Problem&, const Extents&, std::string*) const override { return true; }

  double estimate(const Problem& problem, const Extents& extents, const Machine&, int) const noexcept override {
    constexpr double flops_per_second = 4e8;  // of scalar code that looks at the dtype of every element
    return flops(problem, extents) / flops_per_second;
  }

  std::shared_ptr<const Plan> plan(const Problem& problem, const Machine&) const override {
    return std::make_shared<NaivePlan>(problem);
  }
};

}  // namespace

std::unique_ptr<Backend> make_naive() { return std::make_unique<Naive>(); }

}  // namespace attune
