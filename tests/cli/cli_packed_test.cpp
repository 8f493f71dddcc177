// `attune run` on packed tensors: bit for bit what the library gives, and each member what it gives alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "tests/cli/sample.hpp"

namespace attune::test {
namespace {

/// Three members, one of them without queries and keys.
class Packed : public testing::Test {
 protected:
  static constexpr std::int64_t heads = 4, kv_heads = 2, queries = 6, keys = 9, dim = 8, value_dim = 5;

  std::string path(const std::string& name) const { return folder_.path(name); }

  std::string store(const std::string& name, const io::Tensor& tensor) const {
    io::write_tensor(path(name), tensor, "tensor");
    return path(name);
  }

  Words run() const {
    return {"run",
            "--q",
            store("q.npy", query_),
            "--k",
            store("k.npy", key_),
            "--v",
            store("v.npy", value_),
            "--out",
            path("out.npy"),
            "--backend",
            "naive"};
  }

  Words run_packed() const {
    return run() +
           Words{"--cu-seqlens-q", store("cu_q.npy", starts_q_), "--cu-seqlens-k", store("cu_k.npy", starts_k_)};
  }

  void expect_refused(const Words& arguments, const std::string& words) const {
    const Outcome outcome = run_attune(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << words << " in " << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << "one line: " << outcome.err;
  }

  ScratchFolder folder_;
  io::Tensor query_ = random_tensor(DType::f32, {queries, heads, dim}, 1);
  io::Tensor key_ = random_tensor(DType::f32, {keys, kv_heads, dim}, 2);
  io::Tensor value_ = random_tensor(DType::f32, {keys, kv_heads, value_dim}, 3);
  io::Tensor starts_q_ = index_tensor(DType::i32, {0, 2, 2, queries});
  io::Tensor starts_k_ = index_tensor(DType::i64, {0, 5, 5, keys});
};

TEST_F(Packed, GivesWhatTheLibraryGives) {
  const Outcome outcome = run_attune(run_packed() + Words{"--causal", "--lse", path("lse.npy")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  io::Tensor out = io::make_tensor(DType::f32, {queries, heads, value_dim});
  io::Tensor lse = io::make_tensor(DType::f32, {heads, queries});
  AttentionOptions options;
  options.backend = "naive";
  options.causal = true;
  options.cu_seqlens_q = starts_q_.view();
  options.cu_seqlens_k = starts_k_.view();
  options.lse = lse.mutable_view();
  attention(query_.view(), key_.view(), value_.view(), out.mutable_view(), options);
  expect_same(io::read_tensor(path("out.npy")), out);
  expect_same(io::read_tensor(path("lse.npy")), lse);
}

/// Rows of a packed tensor, as a file of their own.
io::Tensor rows(const io::Tensor& tensor, std::int64_t begin, std::int64_t end) {
  io::Tensor part = io::make_tensor(tensor.dtype, {end - begin, tensor.shape[1], tensor.shape[2]});
  const std::int64_t row = tensor.shape[1] * tensor.shape[2] * static_cast<std::int64_t>(size_of(tensor.dtype));
  std::copy(tensor.bytes.begin() + begin * row, tensor.bytes.begin() + end * row, part.bytes.begin());
  return part;
}

TEST_F(Packed, EachMemberIsWhatItIsAlone) {
  ASSERT_EQ(run_attune(run_packed() + Words{"--causal"}).status, 0);
  const io::Tensor together = io::read_tensor(path("out.npy"));
  const Words alone{"run",       "--layout",
                    "bshd",      "--causal",
                    "--backend", "naive",
                    "--q",       store("one_q.npy", rows(query_, 2, queries)),
                    "--k",       store("one_k.npy", rows(key_, 5, keys)),
                    "--v",       store("one_v.npy", rows(value_, 5, keys)),
                    "--out",     path("one_out.npy")};
  const Outcome outcome = run_attune(alone);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  expect_same(io::read_tensor(path("one_out.npy")), rows(together, 2, queries));
}

TEST_F(Packed, WhatDoesNotFitIsRefused) {
  const auto with = [this](const Words& more) { return run_packed() + more; };
  const Words only_q{"--cu-seqlens-q", store("cu_q.npy", starts_q_)};
  expect_refused(run() + only_q, "--cu-seqlens-k");
  expect_refused(with({"--layout", "bshd"}), "--layout");
  expect_refused(with({"--weights", path("weights.npy")}), "weights: cannot be combined with cu_seqlens");
  expect_refused(with({"--mask", store("mask.npy", random_tensor(DType::f32, {queries, keys}, 4))}), "attn_mask");
  expect_refused(with({"--key-lengths", store("lengths.npy", index_tensor(DType::i32, {1, 1, 1}))}), "key_lengths");
  starts_q_ = random_tensor(DType::f32, {4}, 5);
  expect_refused(run_packed(), "--cu-seqlens-q");
  starts_q_ = index_tensor(DType::i64, {0, 4, 3, queries});
  expect_refused(run_packed(), "cu_seqlens_q: falls from 4 to 3");
  starts_q_ = index_tensor(DType::i64, {0, 1, 3, 5});
  expect_refused(run_packed(), "ends at 5");
  query_.shape = {1, queries, heads, dim};
  expect_refused(run_packed(), "has rank 4, must be 3, [total_tokens, heads, dim]");
}

}  // namespace
}  // namespace attune::test
