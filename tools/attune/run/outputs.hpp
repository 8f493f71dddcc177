// The tensors that `attune run` writes: all of them or none.
#pragma once

#include <string>
#include <vector>

#include <attune/options.hpp>

#include "tools/attune/io/tensor.hpp"
#include "tools/attune/run/flags.hpp"
#include "tools/attune/run/inputs.hpp"

namespace attune::tool {

/// Refuses, before anything is read or computed, output files that cannot be told apart from each other or from
/// an input, and those of an unknown format. Throws Error(invalid_argument).
void check_output_names(const RunFlags& flags);

struct Output {
  std::string name;  // "out", "lse", "weights"
  std::string spec;  // FILE[:TENSOR]
  io::Tensor tensor;
  TensorLayout axes;  // as the engine sees it, [batch, heads, queries, ...]

  /// Its data is null while the tensor has no memory.
  MutableTensorView view();
};

class RunOutputs {
 public:
  /// Decides shapes and dtypes, and asks whether the files could be written. Throws Error(invalid_argument), and
  /// io::WriteError. No memory is taken yet.
  RunOutputs(const RunFlags& flags, const RunInputs& inputs);

  /// Takes memory for the elements. Throws Error(out_of_memory).
  void allocate();
  MutableTensorView out() { return outputs_.front().view(); }
  /// Puts the views of the further outputs into `options`.
  void attach_to(AttentionOptions& options);
  /// All files are complete under temporary names before the first gets its own. Throws io::WriteError.
  void write() const;

  const std::vector<Output>& all() const noexcept { return outputs_; }

 private:
  std::vector<Output> outputs_;  // out first
};

}  // namespace attune::tool
