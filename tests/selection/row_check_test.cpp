// Made-up calls describe as the problem they are made for, and the comparison with the definition sees every fault.
#include "engine/tuning/row_check.hpp"

#include <gtest/gtest.h>

#include <attune/engine.hpp>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/tuning/sample_call.hpp"
#include "tests/unit/small_call.hpp"

namespace attune::detail {
namespace {

struct Case {
  std::string name;
  Problem problem;
  Extents extents;
};

Problem plain() {
  Problem p;
  p.heads = 4, p.kv_heads = 2;
  p.head_dim = 20, p.value_dim = 12;
  return p;
}

template <typename Change>
Case with(const std::string& name, Change change, Extents extents = Extents::padded(2, 70, 90)) {
  Case result{name, plain(), extents};
  change(result.problem);
  return result;
}

std::vector<Case> cases() {
  return {
      with("plain", [](Problem&) {}),
      with(
          "decode", [](Problem& p) { p.causal = true; }, Extents::padded(2, 1, 700)),
      with(
          "empty", [](Problem& p) { p.lse = true; }, Extents::padded(2, 3, 0)),
      with(
          "no_queries", [](Problem&) {}, Extents::padded(2, 0, 5)),
      with("causal_lse", [](Problem& p) { p.causal = p.lse = true; }),
      with(
          "negative_offset", [](Problem& p) { p.causal = p.lse = true; }, Extents::padded(1, 90, 30)),
      with("window", [](Problem& p) { p.window_left = 9, p.window_right = 3; }),
      with("top_left", [](Problem& p) { p.causal = true, p.align = Align::Kind::top_left; }),
      with("offset", [](Problem& p) { p.causal = true, p.align = Align::Kind::offset; }),
      with("offsets", [](Problem& p) { p.causal = true, p.align = Align::Kind::offsets; }),
      with("bool_mask", [](Problem& p) { p.mask = MaskKind::boolean; }),
      with("f32_mask", [](Problem& p) { p.mask = MaskKind::f32, p.softcap = true; }),
      with("bf16_mask", [](Problem& p) { p.mask = MaskKind::bf16; }),
      with("block_mask", [](Problem& p) { p.block_mask = p.lse = true; }),
      with("alibi_sinks", [](Problem& p) { p.alibi = p.sinks = p.lse = true; }),
      with("key_lengths", [](Problem& p) { p.key_lengths = true; }),
      with("weights", [](Problem& p) { p.weights = true; }),
      with("f16", [](Problem& p) { p.query_dtype = p.key_dtype = p.value_dtype = p.out_dtype = DType::f16; }),
      with("bf16", [](Problem& p) { p.query_dtype = p.key_dtype = p.value_dtype = p.out_dtype = DType::bf16; }),
      with("packed", [](Problem& p) { p.cu_seqlens = p.causal = p.lse = true; },
           {.batch = 3, .queries = 40, .keys = 60, .total_queries = 75, .total_keys = 100}),
      with("packed_block_mask", [](Problem& p) { p.cu_seqlens = p.block_mask = true; },
           {.batch = 2, .queries = 130, .keys = 70, .total_queries = 200, .total_keys = 100}),
  };
}

class Sampled : public testing::TestWithParam<Case> {
 protected:
  /// Runs the call on a built-in and hands its arguments to f.
  template <typename F>
  void run(const char* backend, F f) {
    SampleCall call(GetParam().problem, GetParam().extents);
    Engine engine{Engine::Config{}};
    const auto plan = engine.plan(GetParam().problem, GetParam().extents, 1, {.backend = backend});
    const Call bound = plan->bind(call.tensors(), call.options());
    std::vector<std::byte> memory(bound.workspace_bytes(1) + workspace_alignment);
    void* start = memory.data();
    std::size_t space = memory.size();
    std::align(workspace_alignment, bound.workspace_bytes(1), start, space);
    InlineExecutor executor;
    call.spoil_out();
    ASSERT_EQ(bound.run({static_cast<std::byte*>(start), bound.workspace_bytes(1)}, executor), Status::ok);
    f(bound.arguments());
  }
};

TEST_P(Sampled, DescribesAsTheProblem) {
  const SampleCall call(GetParam().problem, GetParam().extents);
  const Description made = describe(call.tensors(), call.options());
  EXPECT_EQ(made.problem, GetParam().problem);
  EXPECT_EQ(made.extents, GetParam().extents);
}

TEST_P(Sampled, EveryBackendAgrees) {
  for (const char* backend : {"naive", "simd", "tiled"}) {
    run(backend, [&](const Arguments& arguments) { EXPECT_EQ(RowCheck(arguments).fault(), "") << backend; });
  }
}

TEST_P(Sampled, AWrongLastElementIsSeen) {
  run("naive", [](const Arguments& arguments) {
    const auto& o = arguments.out;
    if (o.shape[2] == 0) return;
    const std::int64_t last = (o.shape[0] - 1) * o.strides[0] + (o.shape[1] - 1) * o.strides[1] +
                              (o.shape[2] - 1) * o.strides[2] + o.shape[3] - 1;
    if (o.dtype == DType::f32) {
      o.as<float>()[last] += 0.001f;
    } else {
      o.as<std::uint16_t>()[last] ^= 0x4000;  // the exponent
    }
    EXPECT_NE(RowCheck(arguments).fault(), "");
  });
}

TEST_P(Sampled, ARowThatWasNotWrittenIsSeen) {
  run("naive", [](const Arguments& arguments) {
    if (arguments.out.shape[2] == 0) return;
    std::memset(arguments.out.data, 0xff, size_of(arguments.out.dtype));
    EXPECT_NE(RowCheck(arguments).fault(), "");
  });
}

TEST_P(Sampled, AWrongLseIsSeen) {
  run("naive", [](const Arguments& arguments) {
    if (arguments.lse.data == nullptr) return;
    arguments.lse.as<float>()[0] += 0.01f;
    if (!std::isfinite(arguments.lse.as<float>()[0])) return;  // of an empty row: no number was changed
    EXPECT_NE(RowCheck(arguments).fault(), "");
  });
}

INSTANTIATE_TEST_SUITE_P(Problems, Sampled, testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

TEST(SampleCall, RefusesWhatNoCallCouldBe) {
  Problem p = plain();
  p.kv_heads = 3;
  test::refusal([&] { SampleCall(p, Extents::padded(1, 2, 3)); });
  p = plain();
  test::refusal([&] { SampleCall(p, {1, 2, 3, 5, 3}); });  // totals that are not batch times length
  p.cu_seqlens = true;
  test::refusal([&] { SampleCall(p, {2, 10, 10, 25, 20}); });  // more tokens than members of that length hold
}

}  // namespace
}  // namespace attune::detail
