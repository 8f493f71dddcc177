#include "tests/mutants/linear_specimen.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace attune::mutants {
namespace {

double load(const TensorView& t, std::int64_t at) {
  if (t.dtype == DType::f16) return static_cast<double>(to_float(t.as<float16>()[at]));
  if (t.dtype == DType::bf16) return static_cast<double>(to_float(t.as<bfloat16>()[at]));
  return static_cast<double>(t.as<float>()[at]);
}

std::int64_t place(const TensorLayout& t, std::int64_t b, std::int64_t h, std::int64_t s, std::int64_t d) {
  return b * t.strides[0] + h * t.strides[1] + s * t.strides[2] + d * t.strides[3];
}

/// One call, a pair of batch member and key/value head at a time.
class Walk {
 public:
  Walk(const Tensors& t, const LinearAttentionOptions& options, Executor& executor, LinearBug bug)
      : t_(t),
        options_(options),
        threads_(executor.num_threads()),
        bug_(bug),
        dim_(t.query.shape[3]),
        columns_(t.value.shape[3] + 1) {}

  void pair(std::int64_t b, std::int64_t kv) {
    std::vector<double> sums = initial(b, kv);
    const std::vector<double> before = sums;
    const std::int64_t keys = t_.key.shape[2], queries = t_.query.shape[2];
    std::int64_t seen = 0;
    const auto see_until = [&](std::int64_t end) {
      for (; seen < std::min(end, counted(keys)); ++seen) add(sums, b, kv, seen, 1);
    };
    if (!options_.causal) all_keys(sums, b, kv);
    for (std::int64_t i = 0; i < queries; ++i) {
      if (options_.causal)
        see_until(is(LinearBug::excludes_own_key) ? i : i + 1 + (is(LinearBug::sees_next_key) ? 1 : 0));
      std::vector<double> used = sums;
      for (std::int64_t j = seen; options_.causal && is(LinearBug::masks_by_multiplying) && j < keys; ++j)
        add(used, b, kv, j, 0);
      answer(used, b, kv, i);
    }
    if (options_.causal) see_until(keys);
    write(sums, before, b, kv);
  }

 private:
  bool is(LinearBug bug) const { return bug_ == bug; }
  std::int64_t counted(std::int64_t keys) const { return is(LinearBug::loses_last_key) && keys > 64 ? keys - 1 : keys; }
  std::size_t at(std::int64_t d, std::int64_t c) const { return static_cast<std::size_t>(d * columns_ + c); }

  double feature(double x) const {
    if (is(LinearBug::relu_for_elu)) return std::max(x, 0.0) + 1;
    if (is(LinearBug::forgets_plus_one)) return x > 0 ? x : std::exp(x) - 1;
    return x > 0 ? x + 1 : std::exp(x);
  }

  std::vector<double> initial(std::int64_t b, std::int64_t kv) const {
    std::vector<double> sums(static_cast<std::size_t>(dim_ * columns_), 0.0);
    if (!options_.state || is(LinearBug::ignores_state)) return sums;
    for (std::int64_t d = 0; d < dim_; ++d)
      for (std::int64_t c = 0; c < columns_; ++c)
        if (c + 1 < columns_ || !is(LinearBug::forgets_normaliser))
          sums[at(d, c)] = load(*options_.state, place(*options_.state, b, kv, d, c));
    return sums;
  }

  void add(std::vector<double>& sums, std::int64_t b, std::int64_t kv, std::int64_t j, double times) const {
    for (std::int64_t d = 0; d < dim_; ++d) {
      const double key = times * feature(load(t_.key, place(t_.key, b, kv, j, d)));
      for (std::int64_t c = 0; c < columns_; ++c) {
        double& sum = sums[at(d, c)];
        sum += key * (c + 1 < columns_ ? load(t_.value, place(t_.value, b, kv, j, c)) : 1);
        if (is(LinearBug::bf16_sums)) sum = static_cast<double>(to_float(to_bfloat16(sum)));
      }
    }
  }

  void all_keys(std::vector<double>& sums, std::int64_t b, std::int64_t kv) const {
    const std::int64_t keys = counted(t_.key.shape[2]);
    const std::int64_t parts = is(LinearBug::depends_on_threads) ? threads_ : 1;
    for (std::int64_t part = 0; part < parts; ++part) {
      std::vector<double> own(sums.size(), 0.0);
      std::vector<double>& target = parts > 1 ? own : sums;
      for (std::int64_t j = keys * part / parts; j < keys * (part + 1) / parts; ++j) add(target, b, kv, j, 1);
      for (std::size_t i = 0; parts > 1 && i < sums.size(); ++i)
        sums[i] += static_cast<double>(static_cast<float>(own[i]));
    }
  }

  void answer(const std::vector<double>& sums, std::int64_t b, std::int64_t kv, std::int64_t i) const {
    const std::int64_t heads = t_.query.shape[1], kv_heads = t_.key.shape[1], group = heads / kv_heads;
    for (std::int64_t g = 0; g < group; ++g) {
      const std::int64_t h = is(LinearBug::wrong_gqa_head) ? g * kv_heads + kv : kv * group + g;
      const auto project = [&](std::int64_t c) {
        double sum = 0;
        for (std::int64_t d = 0; d < dim_; ++d)
          sum += feature(load(t_.query, query_place(b, h, i, d))) * sums[at(d, c)];
        return sum;
      };
      const double total = project(columns_ - 1);
      for (std::int64_t c = 0; c + 1 < columns_; ++c) {
        if (is(LinearBug::assumes_equal_dims) && c >= dim_) break;
        double value = project(c);
        if (!is(LinearBug::does_not_divide))
          value = total != 0 || is(LinearBug::nan_for_empty_rows) ? value / total : 0;
        t_.out.as<float>()[place(t_.out, b, h, i, c)] = static_cast<float>(value);
      }
    }
  }

  std::int64_t query_place(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t d) const {
    const TensorView& q = t_.query;
    if (!is(LinearBug::assumes_query_strides)) return place(q, b, h, i, d);
    return ((b * q.shape[1] + h) * q.shape[2] + i) * dim_ + d;
  }

  void write(const std::vector<double>& sums, const std::vector<double>& before, std::int64_t b,
             std::int64_t kv) const {
    if (!options_.state || is(LinearBug::does_not_write_state)) return;
    for (std::int64_t d = 0; d < dim_; ++d)
      for (std::int64_t c = 0; c < columns_; ++c) {
        const double more = is(LinearBug::adds_state_twice) ? before[at(d, c)] : 0;
        options_.state->as<float>()[place(*options_.state, b, kv, d, c)] = static_cast<float>(sums[at(d, c)] + more);
      }
  }

  const Tensors& t_;
  const LinearAttentionOptions& options_;
  int threads_;
  LinearBug bug_;
  std::int64_t dim_, columns_;
};

}  // namespace

test::LinearFunction linear_specimen(LinearBug bug) {
  return [bug](const Tensors& tensors, const LinearAttentionOptions& options, Executor& executor) {
    Walk walk(tensors, options, executor, bug);
    for (std::int64_t b = 0; b < tensors.query.shape[0]; ++b)
      for (std::int64_t kv = 0; kv < tensors.key.shape[1]; ++kv) walk.pair(b, kv);
  };
}

}  // namespace attune::mutants
