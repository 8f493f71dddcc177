// The definition, pair by pair: the weight of key j for query i is φ(q_i)·φ(k_j), not softmax; in double, rounded once.
#include <cmath>
#include <vector>

#include "backends/linear/linear.hpp"
#include "backends/naive/element.hpp"

namespace attune::linear {
namespace {

using naive::load;
using naive::store;

double feature(double x) { return x > 0 ? x + 1 : std::exp(x); }

std::int64_t at(const TensorLayout& t, std::int64_t b, std::int64_t h, std::int64_t s, std::int64_t d) {
  return b * t.strides[0] + h * t.strides[1] + s * t.strides[2] + d * t.strides[3];
}

/// φ(q)·φ(k_j), of the query's features.
double weight(const Arguments& a, const std::vector<double>& query, std::int64_t b, std::int64_t kv_head,
              std::int64_t j) {
  double sum = 0;
  for (std::int64_t d = 0; d < a.head_dim; ++d)
    sum += query[static_cast<std::size_t>(d)] * feature(load(a.key, at(a.key, b, kv_head, j, d)));
  return sum;
}

/// What φ(q) makes of a column of the state.
double from_state(const Problem& p, const std::vector<double>& query, std::int64_t b, std::int64_t kv_head,
                  std::int64_t column) {
  if (p.state.data == nullptr) return 0;
  double sum = 0;
  for (std::int64_t d = 0; d < p.tensors.head_dim; ++d)
    sum += query[static_cast<std::size_t>(d)] * load(p.state, at(p.state, b, kv_head, d, column));
  return sum;
}

void compute_row(const Problem& p, std::int64_t b, std::int64_t h, std::int64_t i) {
  const Arguments& a = p.tensors;
  const std::int64_t kv_head = h / a.group();
  std::vector<double> query;
  for (std::int64_t d = 0; d < a.head_dim; ++d) query.push_back(feature(load(a.query, at(a.query, b, h, i, d))));
  std::vector<double> sums;
  for (std::int64_t c = 0; c < a.value_dim; ++c) sums.push_back(from_state(p, query, b, kv_head, c));
  double total = from_state(p, query, b, kv_head, a.value_dim);
  const std::int64_t keys = p.causal ? i + 1 : a.key.shape[2];
  for (std::int64_t j = 0; j < keys; ++j) {
    const double w = weight(a, query, b, kv_head, j);
    total += w;
    for (std::int64_t c = 0; c < a.value_dim; ++c)
      sums[static_cast<std::size_t>(c)] += w * load(a.value, at(a.value, b, kv_head, j, c));
  }
  for (std::int64_t c = 0; c < a.value_dim; ++c)
    store(a.out, at(a.out, b, h, i, c), total == 0 ? 0 : sums[static_cast<std::size_t>(c)] / total);
}

/// state[d][c] += Σ_j φ(k_j)_d · (v_j, 1)_c
void update_state(const Problem& p, std::int64_t b, std::int64_t h) {
  const Arguments& a = p.tensors;
  for (std::int64_t d = 0; d < a.head_dim; ++d)
    for (std::int64_t c = 0; c <= a.value_dim; ++c) {
      double sum = load(p.state, at(p.state, b, h, d, c));
      for (std::int64_t j = 0; j < a.key.shape[2]; ++j)
        sum += feature(load(a.key, at(a.key, b, h, j, d))) *
               (c < a.value_dim ? load(a.value, at(a.value, b, h, j, c)) : 1.0);
      store(p.state, at(p.state, b, h, d, c), sum);
    }
}

}  // namespace

void run_naive(const Problem& problem) {
  const Arguments& a = problem.tensors;
  for (std::int64_t b = 0; b < a.members; ++b) {
    for (std::int64_t h = 0; h < a.heads; ++h)
      for (std::int64_t i = 0; i < a.query.shape[2]; ++i) compute_row(problem, b, h, i);
    for (std::int64_t h = 0; problem.state.data != nullptr && h < a.kv_heads; ++h) update_state(problem, b, h);
  }
}

}  // namespace attune::linear
