// Computing the call of `attune run`, as often as asked, and what was seen.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <attune/engine.hpp>

namespace attune::tool {

struct ExecutionWish {
  std::optional<int> threads;
  int repeats = 1;
};

struct Execution {
  Choice choice;
  int threads = 1;  // that worked on it
  int repeats = 1;
  double seconds = 0;  // median of the repeats
  double flops = 0;    // of one repeat

  double gflops_per_second() const noexcept { return seconds > 0 ? flops / seconds * 1e-9 : 0; }
};

/// A call that has been described and for which a backend has been chosen; nothing is computed yet, and `out`
/// and the other outputs need no memory until run().
class Executable {
 public:
  /// Throws Error: invalid_argument, unsupported, out_of_memory.
  Executable(Engine& engine, const Tensors& tensors, const AttentionOptions& options, const ExecutionWish& wish);

  /// The same tensors and options, now with memory behind the outputs. Throws Error.
  Execution run(const Tensors& tensors, const AttentionOptions& options);

 private:
  Engine& engine_;
  Description call_;
  ExecutionWish wish_;
  Choice choice_;
  std::shared_ptr<const Plan> plan_;
};

}  // namespace attune::tool
