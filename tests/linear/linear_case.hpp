// A problem of linear attention with tensors, and its answer as a recurrence over tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <attune/attune.hpp>
#include <attune/linear_attention.hpp>

namespace attune::test {

struct LinearSizes {
  std::int64_t batch = 1, heads = 1, kv_heads = 1, queries = 1, keys = 1, dim = 8, value_dim = 8;
  bool causal = false;

  std::string text() const;
};

/// Random tensors as f32, and a state of which some calls make use.
struct LinearCase {
  explicit LinearCase(const LinearSizes& sizes, std::uint64_t seed = 1);

  LinearSizes sizes;
  std::vector<float> query, key, value, state;

  TensorView q() const { return view(query.data(), bhsd(sizes.batch, sizes.heads, sizes.queries, sizes.dim)); }
  TensorView k() const { return view(key.data(), bhsd(sizes.batch, sizes.kv_heads, sizes.keys, sizes.dim)); }
  TensorView v() const { return view(value.data(), bhsd(sizes.batch, sizes.kv_heads, sizes.keys, sizes.value_dim)); }
  TensorLayout out_layout() const { return bhsd(sizes.batch, sizes.heads, sizes.queries, sizes.value_dim); }
  TensorLayout state_layout() const { return bhsd(sizes.batch, sizes.kv_heads, sizes.dim, sizes.value_dim + 1); }
};

struct LinearResult {
  std::vector<float> out, state;  // state: empty where none was wanted
};

/// linear_attention(), or what claims to be it. Of the options it looks at `causal` and `state`.
using LinearFunction = std::function<void(const Tensors&, const LinearAttentionOptions&, Executor&)>;

/// linear_attention() by one of its implementations.
LinearFunction linear_backend(const std::string& backend, const std::string& isa = {});

/// The function on the case's tensors; `with_state`: starting from the case's state. On one thread unless said.
LinearResult run(const LinearCase& c, const LinearFunction& function, bool with_state, Executor* executor = nullptr);

/// In double, token by token: S += φ(k) vᵀ, z += φ(k), out = φ(q)ᵀ S / φ(q)·z. Besides the answer, what a tolerance
/// needs.
struct LinearReference {
  std::vector<double> out, state;
  std::vector<double> mass;        // Σ w|v| / Σ w of each element of out
  std::vector<double> state_mass;  // Σ φ(k)|v| of each element of state
  double largest_negative = 0;     // the largest |x| of negative elements of query and key
};
LinearReference reference_of(const LinearCase& c, bool with_state);

}  // namespace attune::test
