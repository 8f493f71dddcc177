// A call of attention, decoded from any bytes: small, mostly sound, now and then spoiled in a few places.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <attune/options.hpp>

namespace attune::fuzz {

/// The tensors of a call, and the name of none.
enum Slot : std::size_t {
  query_slot,
  key_slot,
  value_slot,
  out_slot,
  lse_slot,
  weights_slot,
  mask_slot,
  block_mask_slot,
  slopes_slot,
  sinks_slot,
  lengths_slot,
  offsets_slot,
  cu_seqlens_q_slot,
  cu_seqlens_k_slot,
  slot_count,
};

/// A tensor and exactly the memory that its layout reaches, so that a sanitizer sees the first byte beyond.
struct Placed {
  bool given = false;
  MutableTensorView view;
  std::unique_ptr<std::byte[]> memory;
  std::size_t bytes = 0;
  bool backed = false;  // no: the layout reaches further than anybody would want to allocate
};

class RandomCall {
 public:
  explicit RandomCall(FuzzedDataProvider& bytes);
  RandomCall(const RandomCall&) = delete;
  RandomCall& operator=(const RandomCall&) = delete;

  const Tensors& tensors() const noexcept { return tensors_; }
  const AttentionOptions& options() const noexcept { return options_; }
  void set_backend(const char* name) noexcept { options_.backend = name, options_.isa = {}; }

  /// Every element has memory: the call may be run, not only refused.
  bool backed() const noexcept;
  /// The lengths and offsets, which describe() reads, have memory.
  bool indices_backed() const noexcept;
  /// Sound, with small finite numbers: backends must agree on its result.
  bool tame() const noexcept { return tame_; }

  /// Sets every byte of the outputs to one value.
  void paint_outputs();
  /// Every byte of the outputs as painted.
  bool outputs_untouched() const;
  /// Every byte between the elements of the outputs as painted. (Beyond them the sanitizer watches.) An output that
  /// lies in another's memory is not looked at.
  bool gaps_untouched() const;

  /// The elements of out, then of lse, then of weights.
  std::vector<double> results() const;

 private:
  struct Sizes {
    std::int64_t batch = 1, heads = 1, kv_heads = 1, queries = 1, keys = 1, dim = 1, value_dim = 1;
    std::int64_t longest_query = 1, longest_key = 1;
    bool packed = false;
    std::int64_t members() const noexcept { return batch; }
  };

  void draw_sizes();
  void draw_packing();
  void draw_dtypes();
  void draw_tensors();
  void draw_numbers();
  void draw_masks();
  void draw_per_head();
  void draw_index_tensors();
  void draw_outputs();
  void draw_backend();
  void add(Slot slot, DType dtype, TensorLayout layout);
  void lay_out(Slot slot);

  void spoil();
  void spoil_tensor();
  void spoil_numbers();

  void place(Placed& placed, bool index);
  void fill();
  void fill_floats(Placed& placed);
  void fill_indices(Slot slot, const std::vector<std::int64_t>& values);
  void alias_outputs();
  void attach();

  FuzzedDataProvider& bytes_;
  Sizes sizes_;
  std::array<Placed, slot_count> slots_;
  std::vector<std::int64_t> starts_q_, starts_k_;  // of packed members
  std::uint64_t noise_ = 0;
  bool wild_ = false;  // NaN, infinities and the like among the numbers
  bool tame_ = true;
  bool aliased_ = false;  // an output lies in another tensor's memory
  Tensors tensors_;
  AttentionOptions options_;
};

}  // namespace attune::fuzz
