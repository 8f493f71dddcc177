// One node test of the ONNX Attention operator, translated into a call of attention().
#pragma once

#include <attune/options.hpp>

#include <filesystem>
#include <optional>
#include <string>

#include "tools/attune/io/tensor.hpp"

namespace attune::test {

/// Owns every tensor that the call refers to; stays where it is made.
struct OnnxCase {
  explicit OnnxCase(const std::filesystem::path& folder);
  OnnxCase(const OnnxCase&) = delete;
  OnnxCase& operator=(const OnnxCase&) = delete;

  std::string name;
  Tensors tensors;
  AttentionOptions options;

  io::Tensor query, key, value, out;
  std::optional<io::Tensor> mask, key_lengths, weights;

  io::Tensor expected_out;
  std::optional<io::Tensor> expected_weights;
};

}  // namespace attune::test
