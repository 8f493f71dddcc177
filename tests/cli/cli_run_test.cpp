// `attune run`: each option gives, bit for bit, what the library gives when it is called directly.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/cli/sample.hpp"

namespace attune::test {
namespace {

using Setting = std::function<void(AttentionOptions&)>;

void expect_library_result(const Sample& sample, const Words& arguments, const Setting& set = {}) {
  const Outcome outcome = run_attune(sample.run_for_results() + arguments);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  expect_same(sample.written(), sample.expected(set));
}

TEST(Run, WithoutOptions) { expect_library_result(Sample(), {}); }

TEST(Run, Numbers) {
  struct Case {
    Words arguments;
    Setting set;
  };
  const Sample sample;
  for (const Case& c : std::initializer_list<Case>{
           {{"--causal"}, [](auto& o) { o.causal = true; }},
           {{"--causal", "--align", "top-left"}, [](auto& o) { o.causal = true, o.align = Align::top_left(); }},
           {{"--causal", "--align", "bottom-right"}, [](auto& o) { o.causal = true; }},
           {{"--causal", "--align", "-2"}, [](auto& o) { o.causal = true, o.align = Align::at(-2); }},
           {{"--causal", "--align=3"}, [](auto& o) { o.causal = true, o.align = Align::at(3); }},
           {{"--scale", "-0.75"}, [](auto& o) { o.scale = -0.75; }},
           {{"--scale=1e-3"}, [](auto& o) { o.scale = 1e-3; }},
           {{"--softcap", "0.5"}, [](auto& o) { o.softcap = 0.5; }},
           {{"--softcap", "0"}, [](auto&) {}},
           {{"--window", "1,2"}, [](auto& o) { o.window_left = 1, o.window_right = 2; }},
           {{"--window", "-1,0"}, [](auto& o) { o.window_right = 0; }},
           {{"--window=-1,0"}, [](auto& o) { o.window_right = 0; }},
           {{"--window=2,-1"}, [](auto& o) { o.window_left = 2; }}}) {
    SCOPED_TRACE(c.arguments.back());
    expect_library_result(sample, c.arguments, c.set);
  }
}

TEST(Run, BooleanMasks) {
  const Sample sample;
  io::Tensor mask = random_tensor(DType::u8, {Sample::queries, Sample::keys}, 4);
  const std::string as_u8 = sample.store("mask_u8.npy", mask);
  mask.dtype = DType::boolean;
  const std::string as_bool = sample.store("mask_bool.safetensors", mask);
  const Setting set = [&](auto& o) { o.attn_mask = mask.view(); };
  expect_library_result(sample, {"--mask", as_u8}, set);
  expect_library_result(sample, {"--mask", as_bool}, set);
}

TEST(Run, AddedMasks) {
  const Sample sample;
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    const io::Tensor mask = random_tensor(dtype, {Sample::batch, 1, Sample::queries, Sample::keys}, 5);
    expect_library_result(sample, {"--mask", sample.store("mask.safetensors", mask) + ":tensor"},
                          [&](auto& o) { o.attn_mask = mask.view(); });
  }
}

TEST(Run, AddedMaskOfF64) {
  const Sample sample(DType::f64);
  const io::Tensor mask = random_tensor(DType::f64, {Sample::keys}, 6);
  expect_library_result(sample, {"--mask", sample.store("mask.npy", mask)},
                        [&](auto& o) { o.attn_mask = mask.view(); });
}

TEST(Run, SlopesAndSinks) {
  const Sample sample;
  const io::Tensor slopes = random_tensor(DType::f32, {Sample::batch, Sample::heads}, 7);
  const io::Tensor sinks = random_tensor(DType::f32, {Sample::heads}, 8);
  expect_library_result(sample, {"--alibi", sample.store("alibi.npy", slopes)},
                        [&](auto& o) { o.alibi_slopes = slopes.view(); });
  expect_library_result(sample, {"--sinks", sample.store("sinks.npy", sinks)},
                        [&](auto& o) { o.sinks = sinks.view(); });
}

TEST(Run, SinksOf16BitsAreWidenedExactly) {
  const Sample sample;
  const io::Tensor sinks = random_tensor(DType::bf16, {Sample::heads}, 9);
  io::Tensor wide = io::make_tensor(DType::f32, sinks.shape);
  for (std::int64_t i = 0; i < Sample::heads; ++i) {
    wide.mutable_view().as<float>()[i] = to_float(sinks.view().as<bfloat16>()[i]);
  }
  expect_library_result(sample, {"--sinks", sample.store("sinks.safetensors", sinks)},
                        [&](auto& o) { o.sinks = wide.view(); });
}

TEST(Run, KeyLengths) {
  const Sample sample;
  for (const DType dtype : {DType::i32, DType::i64}) {
    const io::Tensor lengths = index_tensor(dtype, {3, Sample::keys});
    expect_library_result(sample, {"--key-lengths", sample.store("lengths.npy", lengths)},
                          [&](auto& o) { o.key_lengths = lengths.view(); });
  }
}

TEST(Run, EveryDtype) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::f64}) {
    SCOPED_TRACE(name(dtype));
    expect_library_result(Sample(dtype), {"--causal"}, [](auto& o) { o.causal = true; });
  }
}

TEST(Run, TensorsAreFoundByNameAndInNpy) {
  const Sample sample;
  const Words files{"run",
                    "--q",
                    sample.store("q.npy", sample.query()),
                    "--k",
                    sample.folder().path("k.safetensors:tensor"),
                    "--v",
                    sample.store("v.npy", sample.value())};
  const Outcome outcome = run_attune(files + Words{"--out", sample.folder().path("out.npy"), "--backend", "naive"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  expect_same(io::read_tensor(sample.folder().path("out.npy")), sample.expected().out);
}

/// [batch, heads, sequence, dim] → [batch, sequence, heads, dim]
io::Tensor transposed(const io::Tensor& tensor) {
  const auto [b, h, s, d] = std::tuple(tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3]);
  io::Tensor result = io::make_tensor(tensor.dtype, {b, s, h, d});
  const auto* from = tensor.view().as<float>();
  auto* to = result.mutable_view().as<float>();
  for (std::int64_t i = 0; i < b * h * s; ++i) {
    const std::int64_t row = i % s, head = i / s % h, member = i / s / h;
    std::copy_n(from + i * d, d, to + ((member * s + row) * h + head) * d);
  }
  return result;
}

TEST(Run, LayoutBshd) {
  const Sample sample;
  const Words files{"run",
                    "--q",
                    sample.store("q.npy", transposed(sample.query())),
                    "--k",
                    sample.store("k.npy", transposed(sample.key())),
                    "--v",
                    sample.store("v.npy", transposed(sample.value()))};
  const Outcome outcome = run_attune(files + Words{"--layout", "bshd", "--out", sample.folder().path("out.npy"),
                                                   "--lse", sample.folder().path("lse.npy"), "--backend", "naive"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Results expected = sample.expected();
  expect_same(io::read_tensor(sample.folder().path("out.npy")), transposed(expected.out));
  expect_same(io::read_tensor(sample.folder().path("lse.npy")), expected.lse);
}

/// Without its leading sizes, of which each is 1.
io::Tensor with_rank(io::Tensor tensor, std::size_t rank) {
  tensor.shape.erase(tensor.shape.begin(), tensor.shape.end() - static_cast<std::ptrdiff_t>(rank));
  return tensor;
}

TEST(Run, LowerRanksLackTheLeadingSizes) {
  const ScratchFolder folder;
  const auto run = [&](std::size_t rank, const char* layout) {
    Words arguments{"run", "--backend", "naive", "--layout", layout};
    for (const char* name : {"q", "k", "v"}) {
      const io::Tensor tensor = with_rank(random_tensor(DType::f32, {1, 1, 3, 4}, 10), rank);
      io::write_tensor(folder.path(std::string(name) + ".npy"), tensor, "");
      arguments = arguments + Words{std::string("--") + name, folder.path(std::string(name) + ".npy")};
    }
    for (const char* name : {"out", "lse", "weights"}) {
      arguments = arguments + Words{std::string("--") + name, folder.path(std::string(name) + ".npy")};
    }
    EXPECT_EQ(run_attune(arguments).status, 0);
    return Results{io::read_tensor(folder.path("out.npy")), io::read_tensor(folder.path("lse.npy")),
                   io::read_tensor(folder.path("weights.npy"))};
  };
  const Results full = run(4, "bhsd");
  for (const std::size_t rank : {2u, 3u}) {
    expect_same(run(rank, "bhsd"),
                {with_rank(full.out, rank), with_rank(full.lse, rank - 1), with_rank(full.weights, rank)});
  }
  expect_same(run(2, "bshd").out, with_rank(full.out, 2));
}

TEST(Run, NoQueriesAndNoKeys) {
  const ScratchFolder folder;
  io::write_tensor(folder.path("q.npy"), random_tensor(DType::f32, {2, 4}, 11), "");
  io::write_tensor(folder.path("none.npy"), io::make_tensor(DType::f32, {0, 4}), "");
  const std::string q = folder.path("q.npy"), none = folder.path("none.npy"), out = folder.path("out.npy");
  EXPECT_EQ(run_attune({"run", "--q", q, "--k", none, "--v", none, "--out", out}).status, 0);
  expect_same(io::read_tensor(out), io::make_tensor(DType::f32, {2, 4}));
  EXPECT_EQ(run_attune({"run", "--q", none, "--k", q, "--v", q, "--out", out}).status, 0);
  expect_same(io::read_tensor(out), io::make_tensor(DType::f32, {0, 4}));
}

TEST(Run, ReplacesAnOutputThatWasThere) {
  const Sample sample;
  sample.folder().file("out.npy", "before");
  EXPECT_EQ(run_attune(sample.run() + Words{"--out", sample.folder().path("out.npy"), "--backend", "naive"}).status, 0);
  expect_same(io::read_tensor(sample.folder().path("out.npy")), sample.expected().out);
}

}  // namespace
}  // namespace attune::test
