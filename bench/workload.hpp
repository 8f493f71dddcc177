// A problem with random tensors, ready to run, and the check of its result.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <attune/attune.hpp>

namespace attune::bench {

struct Shape {
  std::string name;
  std::int64_t batch = 1, heads = 1, kv_heads = 1, queries = 1, keys = 1, head_dim = 64;
  bool causal = false;
};

class Workload {
 public:
  explicit Workload(const Shape& shape);

  const Tensors& tensors() const noexcept { return tensors_; }
  const AttentionOptions& options() const noexcept { return options_; }
  const Description& description() const noexcept { return description_; }

  /// Compares rows from both ends of every head with `naive` in double; returns what is wrong, empty if nothing is.
  std::string check(Engine& engine) const;

 private:
  std::string check_rows(Engine& engine, std::int64_t first, std::int64_t count) const;

  Shape shape_;
  std::vector<float> query_, key_, value_, out_;
  Tensors tensors_;
  AttentionOptions options_;
  Description description_;
};

}  // namespace attune::bench
