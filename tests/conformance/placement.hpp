// From logical tensors to memory and back: layouts, guard pages, canaries.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <attune/backend.hpp>

#include "tests/conformance/compare.hpp"
#include "tests/conformance/workload.hpp"
#include "tests/support/guarded_memory.hpp"

namespace attune::conformance {

/// How a tensor lies in memory.
enum class Layout {
  contiguous,    // [B, H, S, D]
  heads_inside,  // BSHD: [B, S, H, D] seen as [B, H, S, D]
  padded,        // gaps after every row and every head
  spread,        // inner stride 3
  reversed,      // every stride negative
  one_batch,     // stride 0 along the batch (inputs only; the content must be equal there)
  one_head,      // stride 0 along the heads (likewise)
};
const char* name(Layout layout);

/// Where a call's tensors lie. All inputs touch an unreadable page with one end, outputs lie between canaries.
struct Placement {
  Layout query = Layout::contiguous, key = Layout::contiguous, value = Layout::contiguous;
  Layout out = Layout::contiguous;
  Layout others = Layout::contiguous;  // masks, lse, weights
  test::Edge edge = test::Edge::end;
  bool one_buffer = false;  // query, key, value and out are slots of one buffer [B, S, 4, H, D]

  static Placement all(Layout layout) { return {layout, layout, layout, layout, layout, test::Edge::end, false}; }
};

/// A workload in memory, ready to be bound.
class PlacedCall {
 public:
  PlacedCall(const Workload& workload, const Placement& placement);

  const Tensors& tensors() const { return tensors_; }
  const AttentionOptions& options() const { return options_; }

  /// What the outputs hold now.
  Result result() const;
  /// Throws Failure if a byte changed around the outputs or in their gaps.
  void expect_nothing_else_written() const;

 private:
  TensorView input(const Array& array, Layout layout, test::Edge edge, const char* name);
  TensorView indices(const std::vector<std::int64_t>& values, DType dtype, const char* name);
  struct Output {
    std::shared_ptr<test::CanaryBuffer> buffer;
    MutableTensorView view;
    std::vector<std::uint8_t> written;  // per byte of the buffer
    const char* name = "";
  };
  MutableTensorView output(const Array& array, Layout layout, const char* name);
  void place_in_one_buffer(const Workload& workload);
  void set_options(const Workload& workload, const Placement& placement);

  Tensors tensors_;
  AttentionOptions options_;
  std::vector<std::unique_ptr<test::GuardedBuffer>> inputs_;
  std::vector<Output> outputs_;
};

}  // namespace attune::conformance
