// A call of attention with its plan, its scratch memory and its threads: what is left is to run it.
#pragma once

#include <memory>
#include <stdexcept>

#include <attune/attune.hpp>

#include "bench/aligned_bytes.hpp"
#include "bench/timing.hpp"

namespace attune::bench {

class ReadyCall {
 public:
  /// The options name the backend and the instruction set, or leave them to the engine. Throws Error.
  ReadyCall(Engine& engine, const Tensors& tensors, const AttentionOptions& options, std::shared_ptr<Executor> executor)
      : executor_(std::move(executor)),
        description_(describe(tensors, options)),
        choice_(engine.select(description_.problem, description_.extents, threads(), selection(options))),
        call_(engine.plan(description_.problem, description_.extents, threads(), selection(options))
                  ->bind(tensors, options)),
        workspace_(call_.workspace_bytes(threads())) {}

  Executor& executor() const noexcept { return *executor_; }
  int threads() const noexcept { return executor_->num_threads(); }
  const Choice& choice() const noexcept { return choice_; }
  double flops() const noexcept { return attune::flops(description_.problem, description_.extents); }

  void run() const {
    if (call_.run(workspace_.span(), *executor_) != Status::ok) throw std::runtime_error("the backend failed");
  }

  /// Seconds that one run takes, over at least `at_least` seconds.
  double time(double at_least) const {
    return seconds_per_call([this] { run(); }, at_least);
  }

 private:
  static Selection selection(const AttentionOptions& options) {
    return {options.backend, options.isa, options.reproducible};
  }

  std::shared_ptr<Executor> executor_;
  Description description_;
  Choice choice_;
  Call call_;
  AlignedBytes workspace_;
};

}  // namespace attune::bench
