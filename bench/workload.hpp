// A problem with random tensors, ready to run, and the check of its result.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <attune/attune.hpp>

#include "bench/aligned_bytes.hpp"

namespace attune::bench {

struct Shape {
  std::string name;
  std::int64_t batch = 1, heads = 1, kv_heads = 1, queries = 1, keys = 1, head_dim = 64;
  bool causal = false;
  DType dtype = DType::f32;  // of all four tensors: f32, f16 or bf16
  bool bshd = false;         // in memory [batch, seq, heads, head_dim] in place of [batch, heads, seq, head_dim]
};

/// How far a result is from the same computed in double.
struct Difference {
  double largest = 0;   // of an element
  double relative = 0;  // the same, over the largest element of its row
  std::string fault;    // empty, or what is wrong: a difference that rounding does not explain
};

class Workload {
 public:
  /// Inputs are drawn from a normal distribution, the same ones each time.
  explicit Workload(const Shape& shape);

  const Shape& shape() const noexcept { return shape_; }
  const Tensors& tensors() const noexcept { return tensors_; }
  const AttentionOptions& options() const noexcept { return options_; }
  const Description& description() const noexcept { return description_; }

  /// All of keys and values: one piece of memory.
  std::span<const std::byte> key_value_bytes() const noexcept { return key_value_.span(); }

  /// Fills `out` with NaN, so that what the next run leaves out shows.
  void spoil();

  /// Compares rows from all over `out`, the first and the last among them, with `naive` in double: as many as it
  /// computes with that many floating point operations (4e8 a second), and at least 8.
  Difference check(Engine& engine, double flops = 5e7) const;

 private:
  void compare_row(Engine& engine, std::int64_t row, Difference& difference) const;

  Shape shape_;
  AlignedBytes query_, key_value_, out_;
  Tensors tensors_;
  AttentionOptions options_;
  Description description_;
};

}  // namespace attune::bench
