// A small valid call with its memory, to be spoiled one argument at a time.
#pragma once

#include <gtest/gtest.h>

#include <attune/engine.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace attune::test {

/// B 2, H 4, Hkv 2, Sq 3, Sk 5, D 8, Dv 6, everything f32 and contiguous; spare memory for every option.
struct SmallCall {
  static constexpr std::int64_t batch = 2, heads = 4, kv_heads = 2, queries = 3, keys = 5, dim = 8, value_dim = 6;
  static constexpr float untouched = 12345.0f;

  std::vector<float> query = std::vector<float>(batch * heads * queries * dim, 0.5f);
  std::vector<float> key = std::vector<float>(batch * kv_heads * keys * dim, 0.25f);
  std::vector<float> value = std::vector<float>(batch * kv_heads * keys * value_dim, 2.0f);
  std::vector<float> out = std::vector<float>(batch * heads * queries * value_dim, untouched);
  std::vector<float> lse = std::vector<float>(batch * heads * queries, untouched);
  std::vector<float> weights = std::vector<float>(batch * heads * queries * keys, untouched);
  std::vector<float> mask = std::vector<float>(batch * heads * queries * keys, 0.0f);
  std::vector<float> slopes = std::vector<float>(batch * heads, 0.5f);
  std::vector<float> sinks = std::vector<float>(heads, 0.0f);
  std::array<bool, batch * heads * 2 * 4> block_map{};  // for blocks of 2 by 2, of the packed members too
  std::vector<std::int64_t> lengths{5, 3};
  std::vector<std::int64_t> offsets{2, -1};
  std::vector<std::int32_t> cu_seqlens_q{0, 2, 6};
  std::vector<std::int32_t> cu_seqlens_k{0, 7, 10};

  Tensors tensors{view(std::as_const(query).data(), bhsd(batch, heads, queries, dim)),
                  view(std::as_const(key).data(), bhsd(batch, kv_heads, keys, dim)),
                  view(std::as_const(value).data(), bhsd(batch, kv_heads, keys, value_dim)),
                  view(out.data(), bhsd(batch, heads, queries, value_dim))};
  AttentionOptions options;

  SmallCall() = default;
  SmallCall(const SmallCall&) = delete;
  SmallCall& operator=(const SmallCall&) = delete;

  TensorView mask_view() const { return view(mask.data(), bhsd(batch, heads, queries, keys)); }
  TensorView slopes_view() const { return view(slopes.data(), contiguous({batch, heads})); }
  TensorView sinks_view() const { return view(sinks.data(), contiguous({heads})); }
  TensorView lengths_view() const { return view(lengths.data(), contiguous({batch})); }
  TensorView offsets_view() const { return view(offsets.data(), contiguous({batch})); }
  TensorView cu_q_view() const { return view(cu_seqlens_q.data(), contiguous({batch + 1})); }
  TensorView cu_k_view() const { return view(cu_seqlens_k.data(), contiguous({batch + 1})); }
  /// Blocks of 2 queries and 2 keys: two of them by three.
  void set_block_mask() {
    options.block_mask = view(std::as_const(block_map).data(), contiguous({batch, heads, 2, 3}));
    options.block_queries = options.block_keys = 2;
  }
  MutableTensorView lse_view() { return view(lse.data(), contiguous({batch, heads, queries})); }
  MutableTensorView weights_view() { return view(weights.data(), bhsd(batch, heads, queries, keys)); }

  /// The same memory as two packed members of 2 and 4 queries, 7 and 3 keys.
  void make_packed() {
    tensors = {view(std::as_const(query).data(), packed(batch * queries, heads, dim)),
               view(std::as_const(key).data(), packed(batch * keys, kv_heads, dim)),
               view(std::as_const(value).data(), packed(batch * keys, kv_heads, value_dim)),
               view(out.data(), packed(batch * queries, heads, value_dim))};
    options.cu_seqlens_q = cu_q_view();
    options.cu_seqlens_k = cu_k_view();
  }

  bool outputs_untouched() const {
    for (const std::vector<float>* output : {&out, &lse, &weights}) {
      for (const float x : *output) {
        if (x != untouched) return false;
      }
    }
    return true;
  }
};

/// The message of the Error(invalid_argument) that f throws; fails where it throws none.
template <typename F>
std::string refusal(F f, ErrorCode code = ErrorCode::invalid_argument) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_STREQ(name(error.code()), name(code)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

}  // namespace attune::test
