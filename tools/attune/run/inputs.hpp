// The tensors that `attune run` reads, as the engine wants them.
#pragma once

#include <optional>

#include <attune/options.hpp>

#include "tools/attune/io/tensor.hpp"
#include "tools/attune/run/flags.hpp"
#include "tools/attune/run/layout.hpp"

namespace attune::tool {

/// Owns what the views point to.
struct RunInputs {
  Layout layout = Layout::bhsd;
  io::Tensor query, key, value;
  std::optional<io::Tensor> mask, block_mask, alibi, sinks, key_lengths, cu_seqlens_q, cu_seqlens_k;

  TensorView view_of(const io::Tensor& tensor) const;
  /// Puts the views of the optional tensors into `options`.
  void attach_to(AttentionOptions& options) const;
};

/// Reads the files and checks what belongs to files alone: dtypes, and masks that are neither 0 nor 1. Whether
/// the tensors fit each other the engine tells. Throws Error naming the option.
RunInputs read_inputs(const RunFlags& flags);

}  // namespace attune::tool
