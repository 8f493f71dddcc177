#include "tests/linear/linear_case.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace attune::test {
namespace {

double phi(double x) { return x > 0 ? x + 1 : std::exp(x); }

std::vector<float> normal(std::int64_t count, std::mt19937_64& bits) {
  std::normal_distribution<float> distribution;
  std::vector<float> result(static_cast<std::size_t>(count));
  for (float& x : result) x = distribution(bits);
  return result;
}

/// One head of queries walking along the tokens of its key/value head.
class Walk {
 public:
  Walk(const LinearCase& c, std::int64_t batch, std::int64_t kv_head, bool with_state)
      : c_(c),
        first_key_((batch * c.sizes.kv_heads + kv_head) * c.sizes.keys),
        sums_(static_cast<std::size_t>(c.sizes.dim * columns()), 0.0),
        masses_(sums_) {
    const std::int64_t first = (batch * c.sizes.kv_heads + kv_head) * c.sizes.dim * columns();
    for (std::size_t i = 0; with_state && i < sums_.size(); ++i) {
      sums_[i] = static_cast<double>(c.state[static_cast<std::size_t>(first) + i]);
      masses_[i] = std::abs(sums_[i]);
    }
  }

  void see(std::int64_t token) {
    for (std::int64_t d = 0; d < c_.sizes.dim; ++d) {
      const double feature = phi(static_cast<double>(c_.key[at((first_key_ + token) * c_.sizes.dim + d)]));
      for (std::int64_t i = 0; i < columns(); ++i) {
        const double v = i == c_.sizes.value_dim
                             ? 1
                             : static_cast<double>(c_.value[at((first_key_ + token) * c_.sizes.value_dim + i)]);
        sums_[at(d * columns() + i)] += feature * v;
        masses_[at(d * columns() + i)] += feature * std::abs(v);
      }
    }
  }

  void answer(std::int64_t row, LinearReference& reference) const {
    const auto project = [&](const std::vector<double>& state, std::int64_t i) {
      double sum = 0;
      for (std::int64_t d = 0; d < c_.sizes.dim; ++d)
        sum += phi(static_cast<double>(c_.query[at(row * c_.sizes.dim + d)])) * state[at(d * columns() + i)];
      return sum;
    };
    const double total = project(sums_, c_.sizes.value_dim);
    for (std::int64_t i = 0; i < c_.sizes.value_dim; ++i) {
      reference.out[at(row * c_.sizes.value_dim + i)] = total == 0 ? 0 : project(sums_, i) / total;
      reference.mass[at(row * c_.sizes.value_dim + i)] = total == 0 ? 0 : project(masses_, i) / total;
    }
  }

  const std::vector<double>& sums() const { return sums_; }
  const std::vector<double>& masses() const { return masses_; }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  std::int64_t columns() const { return c_.sizes.value_dim + 1; }

  const LinearCase& c_;
  std::int64_t first_key_;
  std::vector<double> sums_, masses_;
};

}  // namespace

std::string LinearSizes::text() const {
  return "B " + std::to_string(batch) + ", H " + std::to_string(heads) + "/" + std::to_string(kv_heads) + ", Sq " +
         std::to_string(queries) + ", Sk " + std::to_string(keys) + ", D " + std::to_string(dim) + ", Dv " +
         std::to_string(value_dim) + (causal ? ", causal" : "");
}

LinearCase::LinearCase(const LinearSizes& s, std::uint64_t seed) : sizes(s) {
  std::mt19937_64 bits(seed);
  query = normal(s.batch * s.heads * s.queries * s.dim, bits);
  key = normal(s.batch * s.kv_heads * s.keys * s.dim, bits);
  value = normal(s.batch * s.kv_heads * s.keys * s.value_dim, bits);
  state = normal(s.batch * s.kv_heads * s.dim * (s.value_dim + 1), bits);
  for (std::size_t i = 0; i < state.size(); ++i)  // the last column sums features, which are positive
    if (static_cast<std::int64_t>(i) % (s.value_dim + 1) == s.value_dim) state[i] = 1 + std::abs(state[i]);
}

LinearFunction linear_backend(const std::string& backend, const std::string& isa) {
  return [backend, isa](const Tensors& tensors, LinearAttentionOptions options, Executor& executor) {
    options.backend = backend;
    options.isa = isa;
    linear_attention(tensors.query, tensors.key, tensors.value, tensors.out, options, &executor);
  };
}

LinearResult run(const LinearCase& c, const LinearFunction& function, bool with_state, Executor* executor) {
  LinearResult result;
  result.out.assign(static_cast<std::size_t>(c.sizes.batch * c.sizes.heads * c.sizes.queries * c.sizes.value_dim),
                    std::numeric_limits<float>::quiet_NaN());
  LinearAttentionOptions options{c.sizes.causal, {}, {}, {}};
  if (with_state) {
    result.state = c.state;
    options.state = view(result.state.data(), c.state_layout());
  }
  InlineExecutor one;
  function({c.q(), c.k(), c.v(), view(result.out.data(), c.out_layout())}, options,
           executor != nullptr ? *executor : one);
  return result;
}

LinearReference reference_of(const LinearCase& c, bool with_state) {
  const LinearSizes& s = c.sizes;
  LinearReference reference;
  reference.out.assign(static_cast<std::size_t>(s.batch * s.heads * s.queries * s.value_dim), 0.0);
  reference.mass = reference.out;
  for (std::int64_t b = 0; b < s.batch; ++b)
    for (std::int64_t kv = 0; kv < s.kv_heads; ++kv) {
      Walk walk(c, b, kv, with_state);
      const std::int64_t group = s.heads / s.kv_heads;
      const auto answer = [&](std::int64_t i) {
        for (std::int64_t h = kv * group; h < (kv + 1) * group; ++h)
          walk.answer((b * s.heads + h) * s.queries + i, reference);
      };
      for (std::int64_t token = 0; token < s.keys; ++token) {
        walk.see(token);
        if (s.causal) answer(token);
      }
      for (std::int64_t i = 0; !s.causal && i < s.queries; ++i) answer(i);
      reference.state.insert(reference.state.end(), walk.sums().begin(), walk.sums().end());
      reference.state_mass.insert(reference.state_mass.end(), walk.masses().begin(), walk.masses().end());
    }
  for (const auto* elements : {&c.query, &c.key})
    for (const float x : *elements)
      reference.largest_negative = std::max(reference.largest_negative, -static_cast<double>(x));
  return reference;
}

}  // namespace attune::test
