// Random tensors of one length, and the check of what a backend made of them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <attune/engine.hpp>

#include "tools/attune/io/tensor.hpp"
#include "tools/attune/profile/profile.hpp"
#include "tools/attune/profile/variant.hpp"

namespace attune::tool::profile {

struct Lengths {
  std::int64_t queries = 1, keys = 1;
};
Lengths lengths_of(const Setting& setting, std::int64_t length);

/// Shapes alone, for what looks at no element.
Tensors tensors_without_memory(const Setting& setting, std::int64_t length);

/// Bytes of query, key, value and out.
double tensor_bytes(const Setting& setting, std::int64_t length);

class Workload {
 public:
  /// Throws Error(out_of_memory).
  Workload(const Setting& setting, std::int64_t length);

  Tensors tensors();
  /// Fills out with NaN, so that what a backend leaves out is seen.
  void forget_result();

 private:
  io::Tensor query_, key_, value_, out_;
};

/// Both ends, and three between.
std::vector<std::int64_t> sampled_rows(const Tensors& tensors);

/// An element of an f32, f16 or bf16 tensor.
double element_of(const TensorView& tensor, std::int64_t at);

/// Half an ulp at most.
double rounding_of(DType dtype, double value);

/// Rows of the right result and how far each element may be off: computed once, held against every backend.
class Sample {
 public:
  struct Element {
    std::int64_t at;  // in out's memory
    double expected, tolerance;
  };

  /// The sampled rows of every head by `naive`, in double; the tolerance is that of the
  /// conformance suite, derived there.
  Sample(Engine& engine, const Tensors& tensors, const VariantCall& variant);

  explicit Sample(std::vector<Element> elements) : elements_(std::move(elements)) {}

  /// What is wrong with `out`; empty: nothing.
  std::string fault_of(const MutableTensorView& out) const;

 private:
  void add_row(Engine& engine, const Tensors& tensors, const VariantCall& variant, std::int64_t row);

  std::vector<Element> elements_;
};

}  // namespace attune::tool::profile
