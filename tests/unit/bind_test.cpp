// Plan::bind(): the checks that need pointers, what it hands to a backend, and run()'s own checks.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/small_call.hpp"

namespace attune {
namespace {

using test::refusal;
using test::SmallCall;

std::shared_ptr<const Plan> plan_for(const SmallCall& call) {
  const auto [problem, extents] = describe(call.tensors, call.options);
  return default_engine().plan(problem, extents, 1, {.backend = "naive", .isa = {}, .reproducible = false});
}

Call bind(const SmallCall& call) { return plan_for(call)->bind(call.tensors, call.options); }

// ---- What is refused

struct Wrong {
  const char* what;
  std::function<void(SmallCall&)> spoil;
  std::vector<const char*> words;  // all in the message; the first is the argument's name
};

void PrintTo(const Wrong& wrong, std::ostream* stream) { *stream << wrong.what; }

class Refused : public testing::TestWithParam<Wrong> {};

TEST_P(Refused, NamingTheArgumentAndWritingNothing) {
  SmallCall call;
  GetParam().spoil(call);
  const auto plan = plan_for(call);  // describe() has nothing against it
  const std::string message = refusal([&] { plan->bind(call.tensors, call.options); });
  for (const char* word : GetParam().words) EXPECT_NE(message.find(word), std::string::npos) << message;
  EXPECT_EQ(message.rfind(GetParam().words.front(), 0), 0u) << message;
  EXPECT_TRUE(call.outputs_untouched());
}

const void* moved(const void* data, std::ptrdiff_t bytes) { return static_cast<const char*>(data) + bytes; }

const Wrong memory_faults[] = {
    {"null query", [](SmallCall& c) { c.tensors.query.data = nullptr; }, {"query:", "null"}},
    {"null key", [](SmallCall& c) { c.tensors.key.data = nullptr; }, {"key:", "null"}},
    {"null value", [](SmallCall& c) { c.tensors.value.data = nullptr; }, {"value:", "null"}},
    {"null out", [](SmallCall& c) { c.tensors.out.data = nullptr; }, {"out:", "null"}},
    {"null mask",
     [](SmallCall& c) { c.options.attn_mask = c.mask_view(), c.options.attn_mask->data = nullptr; },
     {"attn_mask:", "null"}},
    {"null slopes",
     [](SmallCall& c) { c.options.alibi_slopes = c.slopes_view(), c.options.alibi_slopes->data = nullptr; },
     {"alibi_slopes:", "null"}},
    {"null block map",
     [](SmallCall& c) { c.set_block_mask(), c.options.block_mask->data = nullptr; },
     {"block_mask:", "null"}},
    {"far strides of the block map",
     [](SmallCall& c) { c.set_block_mask(), c.options.block_mask->strides[1] = INT64_MAX; },
     {"block_mask:", "address space"}},
    {"null sinks",
     [](SmallCall& c) { c.options.sinks = c.sinks_view(), c.options.sinks->data = nullptr; },
     {"sinks:", "null"}},
    {"null lse", [](SmallCall& c) { c.options.lse = c.lse_view(), c.options.lse->data = nullptr; }, {"lse:", "null"}},
    {"null weights",
     [](SmallCall& c) { c.options.weights = c.weights_view(), c.options.weights->data = nullptr; },
     {"weights:", "null"}},
    {"misaligned query",
     [](SmallCall& c) { c.tensors.query.data = moved(c.query.data(), 1); },
     {"query:", "aligned", "4 bytes"}},
    {"misaligned key", [](SmallCall& c) { c.tensors.key.data = moved(c.key.data(), 2); }, {"key:", "aligned"}},
    {"misaligned value", [](SmallCall& c) { c.tensors.value.data = moved(c.value.data(), 3); }, {"value:", "aligned"}},
    {"misaligned mask",
     [](SmallCall& c) { c.options.attn_mask = c.mask_view(), c.options.attn_mask->data = moved(c.mask.data(), 1); },
     {"attn_mask:", "aligned"}},
    {"misaligned slopes",
     [](SmallCall& c) {
       c.options.alibi_slopes = c.slopes_view(), c.options.alibi_slopes->data = moved(c.slopes.data(), 2);
     },
     {"alibi_slopes:", "aligned"}},
    {"misaligned sinks",
     [](SmallCall& c) { c.options.sinks = c.sinks_view(), c.options.sinks->data = moved(c.sinks.data(), 2); },
     {"sinks:", "aligned"}},
    {"misaligned lse",
     [](SmallCall& c) {
       c.options.lse = c.lse_view(), c.options.lse->data = reinterpret_cast<char*>(c.lse.data()) + 1;
     },
     {"lse:", "aligned"}},
    {"misaligned weights",
     [](SmallCall& c) {
       c.options.weights = c.weights_view(), c.options.weights->data = reinterpret_cast<char*>(c.weights.data()) + 2;
     },
     {"weights:", "aligned"}},
    {"misaligned out",
     [](SmallCall& c) { c.tensors.out.data = reinterpret_cast<char*>(c.out.data()) + 2; },
     {"out:", "aligned"}},
    {"far strides",
     [](SmallCall& c) { c.tensors.key.strides[0] = std::int64_t{1} << 61; },
     {"key:", "strides", "address space"}},
    {"far strides of query", [](SmallCall& c) { c.tensors.query.strides[3] = INT64_MAX; }, {"query:", "address space"}},
    {"far strides of out", [](SmallCall& c) { c.tensors.out.strides[2] = INT64_MIN; }, {"out:", "address space"}},
    {"far strides of the mask",
     [](SmallCall& c) { c.options.attn_mask = c.mask_view(), c.options.attn_mask->strides[0] = INT64_MAX; },
     {"attn_mask:", "address space"}},
    {"far strides of slopes",
     [](SmallCall& c) { c.options.alibi_slopes = c.slopes_view(), c.options.alibi_slopes->strides[1] = INT64_MAX; },
     {"alibi_slopes:", "address space"}},
    {"far strides of sinks",
     [](SmallCall& c) { c.options.sinks = c.sinks_view(), c.options.sinks->strides[0] = INT64_MAX / 2; },
     {"sinks:", "address space"}},
    {"far strides of weights",
     [](SmallCall& c) { c.options.weights = c.weights_view(), c.options.weights->strides[0] = INT64_MAX; },
     {"weights:", "address space"}},
    {"far negative strides", [](SmallCall& c) { c.tensors.value.strides[2] = INT64_MIN; }, {"value:", "address space"}},
    {"far strides of lse",
     [](SmallCall& c) { c.options.lse = c.lse_view(), c.options.lse->strides[1] = INT64_MAX; },
     {"lse:", "address space"}},
};

const Wrong overlaps[] = {
    {"out with stride 0", [](SmallCall& c) { c.tensors.out.strides[0] = 0; }, {"out:", "overlap"}},
    {"out whose rows overlap", [](SmallCall& c) { c.tensors.out.strides[2] = 5; }, {"out:", "overlap"}},
    {"lse with stride 0",
     [](SmallCall& c) { c.options.lse = c.lse_view(), c.options.lse->strides[1] = 0; },
     {"lse:", "overlap"}},
    {"weights whose heads overlap",
     [](SmallCall& c) { c.options.weights = c.weights_view(), c.options.weights->strides[1] = 14; },
     {"weights:", "overlap"}},
    {"out over query", [](SmallCall& c) { c.tensors.out.data = c.query.data(); }, {"out:", "overlaps query"}},
    {"out over the end of key",
     [](SmallCall& c) { c.tensors.out.data = c.key.data() + c.key.size() - 1; },
     {"out:", "overlaps key"}},
    {"out over value", [](SmallCall& c) { c.tensors.value.data = c.out.data() + 3; }, {"out:", "overlaps value"}},
    {"lse over query",
     [](SmallCall& c) { c.options.lse = view(c.query.data(), contiguous({2, 4, 3})); },
     {"lse:", "overlaps query"}},
    {"lse over key",
     [](SmallCall& c) { c.options.lse = view(c.key.data() + 50, contiguous({2, 4, 3})); },
     {"lse:", "overlaps key"}},
    {"lse over value",
     [](SmallCall& c) { c.options.lse = view(c.value.data() + 50, contiguous({2, 4, 3})); },
     {"lse:", "overlaps value"}},
    {"weights over query",
     [](SmallCall& c) { c.options.weights = view(c.query.data(), bhsd(2, 4, 3, 5)); },
     {"weights:", "overlaps query"}},
    {"weights over key",
     [](SmallCall& c) { c.options.weights = view(c.key.data(), bhsd(2, 4, 3, 5)); },
     {"weights:", "overlaps key"}},
    {"weights over value",
     [](SmallCall& c) { c.options.weights = view(c.value.data(), bhsd(2, 4, 3, 5)); },
     {"weights:", "overlaps value"}},
    {"weights over out",
     [](SmallCall& c) { c.options.weights = view(c.out.data(), bhsd(2, 4, 3, 5)); },
     {"weights:", "overlaps out"}},
    {"out over the mask",
     [](SmallCall& c) { c.options.attn_mask = view(std::as_const(c.out).data() + 7, contiguous({3, 5})); },
     {"out:", "overlaps attn_mask"}},
    {"out over sinks",
     [](SmallCall& c) { c.options.sinks = view(std::as_const(c.out).data(), contiguous({4})); },
     {"out:", "overlaps sinks"}},
    {"lse over out",
     [](SmallCall& c) { c.options.lse = view(c.out.data() + 100, contiguous({2, 4, 3})); },
     {"lse:", "overlaps out"}},
    {"weights over lse",
     [](SmallCall& c) {
       c.options.lse = view(c.weights.data(), contiguous({2, 4, 3})), c.options.weights = c.weights_view();
     },
     {"weights:", "overlaps lse"}},
    {"weights over mask",
     [](SmallCall& c) {
       c.options.attn_mask = view(std::as_const(c.weights).data(), contiguous({3, 5})),
       c.options.weights = c.weights_view();
     },
     {"weights:", "overlaps attn_mask"}},
    {"lse over sinks",
     [](SmallCall& c) {
       c.options.sinks = view(std::as_const(c.lse).data(), contiguous({4})), c.options.lse = c.lse_view();
     },
     {"lse:", "overlaps sinks"}},
    {"out over the block map",
     [](SmallCall& c) { c.set_block_mask(), c.options.block_mask->data = c.out.data() + 5; },
     {"out:", "overlaps block_mask"}},
    {"out over slopes",
     [](SmallCall& c) { c.options.alibi_slopes = view(std::as_const(c.out).data(), contiguous({4})); },
     {"out:", "overlaps alibi_slopes"}},
};

std::string case_name(const testing::TestParamInfo<Wrong>& info) {
  std::string text = info.param.what;
  for (char& c : text) {
    if (c == ' ') c = '_';
  }
  return text;
}

INSTANTIATE_TEST_SUITE_P(Memory, Refused, testing::ValuesIn(memory_faults), case_name);
INSTANTIATE_TEST_SUITE_P(Overlaps, Refused, testing::ValuesIn(overlaps), case_name);

TEST(Bind, RefusesLengthsThatLieOverAnOutput) {
  SmallCall call;
  std::vector<std::int64_t> memory(24);  // 2 lengths, and 24 · 8 bytes for 24 floats of lse
  call.options.key_lengths = view(std::as_const(memory).data(), contiguous({2}));
  call.options.lse = view(reinterpret_cast<float*>(memory.data()), contiguous({2, 4, 3}));
  EXPECT_NE(refusal([&] { bind(call); }).find("lse: overlaps key_lengths"), std::string::npos);
}

TEST(Bind, RefusesOffsetsAndBoundariesThatLieOverAnOutput) {
  SmallCall call;
  std::vector<std::int64_t> memory(24);
  call.options.align = Align::per_batch(view(std::as_const(memory).data(), contiguous({2})));
  call.options.lse = view(reinterpret_cast<float*>(memory.data()), contiguous({2, 4, 3}));
  EXPECT_NE(refusal([&] { bind(call); }).find("lse: overlaps align.offsets"), std::string::npos);

  SmallCall packed;
  packed.make_packed();
  std::vector<std::int32_t> boundaries(24);
  std::copy(packed.cu_seqlens_k.begin(), packed.cu_seqlens_k.end(), boundaries.begin());
  packed.options.cu_seqlens_k = view(std::as_const(boundaries).data(), contiguous({3}));
  packed.options.lse = view(reinterpret_cast<float*>(boundaries.data()), contiguous({4, 6}));
  EXPECT_NE(refusal([&] { bind(packed); }).find("lse: overlaps cu_seqlens_k"), std::string::npos);
  EXPECT_EQ(boundaries[1], packed.cu_seqlens_k[1]);
}

TEST(Bind, RefusesAnotherProblemThanThePlans) {
  const SmallCall planned;
  const auto plan = plan_for(planned);
  const auto refused = [&plan](const std::function<void(SmallCall&)>& change) {
    SmallCall call;
    change(call);
    return refusal([&] { plan->bind(call.tensors, call.options); });
  };
  EXPECT_EQ(refused([](SmallCall& c) { c.options.causal = true; }).rfind("causal:", 0), 0u);
  EXPECT_EQ(refused([](SmallCall& c) { c.options.softcap = 3; }).rfind("softcap:", 0), 0u);
  EXPECT_EQ(refused([](SmallCall& c) { c.options.lse = c.lse_view(); }).rfind("lse:", 0), 0u);
  EXPECT_EQ(refused([](SmallCall& c) { c.options.align = Align::top_left(); }).rfind("align:", 0), 0u);
  EXPECT_EQ(refused([](SmallCall& c) { c.options.attn_mask = c.mask_view(); }).rfind("attn_mask:", 0), 0u);
  EXPECT_EQ(refused([](SmallCall& c) { c.set_block_mask(); }).rfind("block_mask:", 0), 0u);
  EXPECT_EQ(refused([](SmallCall& c) { c.tensors.query.dtype = DType::bf16; }).rfind("query:", 0), 0u);
}

// ---- What is taken

TEST(Bind, TakesOtherExtentsOfTheSameProblem) {
  const SmallCall planned;
  const auto plan = plan_for(planned);
  SmallCall call;
  call.tensors.query.shape[0] = call.tensors.key.shape[0] = call.tensors.value.shape[0] = call.tensors.out.shape[0] = 1;
  call.tensors.key.shape[2] = call.tensors.value.shape[2] = 2;
  EXPECT_EQ(plan->bind(call.tensors, call.options).extents(), Extents::padded(1, 3, 2));
}

TEST(Bind, TakesBroadcastAndBackwardInputs) {
  SmallCall call;
  call.tensors.query.strides[0] = 0;
  call.tensors.key.strides[3] = -1;
  call.tensors.key.data = call.key.data() + 7;
  EXPECT_NO_THROW(bind(call));
}

TEST(Bind, TakesSlotsOfOneBuffer) {
  // [B, S, 4, H, D]: query, key, value and out interleaved; their byte ranges overlap, no element does.
  constexpr std::int64_t batch = 2, length = 3, heads = 2, dim = 4;
  std::vector<float> buffer(batch * length * 4 * heads * dim);
  const auto slot = [&buffer](std::int64_t index) {
    TensorLayout layout = bhsd(batch, heads, length, dim);
    layout.strides = {length * 4 * heads * dim, dim, 4 * heads * dim, 1};
    return view(buffer.data() + index * heads * dim, layout);
  };
  SmallCall call;
  call.tensors = {slot(0), slot(1), slot(2), slot(3)};
  EXPECT_NO_THROW(bind(call));
  call.tensors.out = slot(1);
  EXPECT_NE(refusal([&] { bind(call); }).find("out: overlaps key"), std::string::npos);
  call.tensors.out.data = buffer.data() + dim;  // query's second head and key's first
  EXPECT_NE(refusal([&] { bind(call); }).find("out: overlaps query"), std::string::npos);
}

TEST(Bind, TakesPackedSlotsOfOneBufferWithFewerKeyHeads) {
  // [total, (H + 2 Hkv + H), D]: rows of query, key, value and out side by side.
  constexpr std::int64_t total = 6, heads = 4, kv_heads = 1, dim = 4, row = (2 * heads + 2 * kv_heads) * dim;
  std::vector<float> buffer(total * row);
  const auto slot = [&buffer](std::int64_t first_head, std::int64_t count) {
    TensorLayout layout = packed(total, count, dim);
    layout.strides = {row, dim, 1, 0};
    return view(buffer.data() + first_head * dim, layout);
  };
  SmallCall call;
  call.make_packed();
  call.cu_seqlens_k = {0, 2, 6};
  call.tensors = {slot(0, heads), slot(heads, kv_heads), slot(heads + 1, kv_heads), slot(heads + 2, heads)};
  EXPECT_NO_THROW(bind(call));
  call.tensors.out = slot(heads + 1, heads);
  EXPECT_NE(refusal([&] { bind(call); }).find("out: overlaps value"), std::string::npos);
}

TEST(Bind, TakesNullDataWithoutElements) {
  SmallCall call;
  call.tensors.key.shape[2] = call.tensors.value.shape[2] = 0;
  call.tensors.key.data = call.tensors.value.data = nullptr;
  EXPECT_NO_THROW(bind(call));
}

// ---- What a backend gets

TEST(Bind, BroadcastsTheMaskWithStrideZero) {
  SmallCall call;
  call.options.attn_mask = view(std::as_const(call.mask).data(), contiguous({4, 1, 5}));
  const TensorView mask = bind(call).arguments().mask;
  EXPECT_EQ(mask.rank, 4);
  EXPECT_EQ(mask.shape, (std::array<std::int64_t, 4>{2, 4, 3, 5}));
  EXPECT_EQ(mask.strides, (std::array<std::int64_t, 4>{0, 5, 0, 1}));
  EXPECT_EQ(mask.data, call.mask.data());
}

TEST(Bind, BroadcastsTheBlockMapWithStrideZero) {
  SmallCall call;
  call.set_block_mask();
  call.options.block_mask = view(std::as_const(call.block_map).data(), contiguous({2, 1, 2, 3}));
  const Arguments a = bind(call).arguments();
  EXPECT_EQ(a.block_mask.shape, (std::array<std::int64_t, 4>{2, 4, 2, 3}));
  EXPECT_EQ(a.block_mask.strides, (std::array<std::int64_t, 4>{6, 0, 3, 1}));
  EXPECT_EQ(a.block_queries, 2);
  EXPECT_EQ(a.block_keys, 2);
  call.block_map[6 + 3 + 2] = true;  // of member 1: queries from 2 on, keys from 4 on
  EXPECT_TRUE(a.block_attended(1, 3, 2, 4));
  EXPECT_FALSE(a.block_attended(1, 3, 1, 4) || a.block_attended(1, 3, 2, 3) || a.block_attended(0, 3, 2, 4));
}

TEST(Bind, BroadcastsSlopesOverTheBatch) {
  SmallCall call;
  call.options.alibi_slopes = view(std::as_const(call.slopes).data(), contiguous({4}));
  const TensorView slopes = bind(call).arguments().alibi_slopes;
  EXPECT_EQ(slopes.rank, 2);
  EXPECT_EQ(slopes.shape[0], 2);
  EXPECT_EQ(slopes.shape[1], 4);
  EXPECT_EQ(slopes.strides[0], 0);
  EXPECT_EQ(slopes.strides[1], 1);
}

TEST(Bind, ShowsPackedTensorsWithRank4AndMembersAsTheyLie) {
  SmallCall call;
  call.make_packed();
  call.options.lse = view(call.lse.data(), contiguous({4, 6}));
  const Call bound = bind(call);
  const Arguments& a = bound.arguments();
  EXPECT_EQ(a.query.shape, (std::array<std::int64_t, 4>{1, 4, 6, 8}));
  EXPECT_EQ(a.query.strides, (std::array<std::int64_t, 4>{0, 8, 32, 1}));
  EXPECT_EQ(a.lse.rank, 3);
  EXPECT_EQ(a.lse.shape[1], 4);
  EXPECT_EQ(a.lse.shape[2], 6);
  const Member second = a.member(1);
  EXPECT_EQ(second.batch, 0);
  EXPECT_EQ(second.first_query, 2);
  EXPECT_EQ(second.queries, 4);
  EXPECT_EQ(second.first_key, 7);
  EXPECT_EQ(second.keys, 3);
  EXPECT_EQ(second.offset, -1);
}

TEST(Bind, FillsInTheDefaultsOfOptions) {
  const SmallCall call;
  const Call bound = bind(call);
  const Arguments& a = bound.arguments();
  EXPECT_DOUBLE_EQ(a.scale, 1 / std::sqrt(8.0));
  EXPECT_EQ(a.softcap, 0);
  EXPECT_EQ(a.mask.data, nullptr);
  EXPECT_EQ(a.lse.data, nullptr);
  EXPECT_EQ(a.members, 2);
  EXPECT_EQ(a.group(), 2);
}

TEST(Bind, ForgetsTheStrideOfAnAxisOfOneElement) {
  SmallCall call;
  call.tensors.query.shape[0] = call.tensors.key.shape[0] = call.tensors.value.shape[0] = call.tensors.out.shape[0] = 1;
  call.tensors.query.strides[0] = INT64_MAX;
  EXPECT_EQ(bind(call).arguments().query.strides[0], 0);
}

// ---- run()

TEST(Run, RefusesAWorkspaceThatIsTooSmallOrNotAligned) {
  SmallCall call;
  const Call bound = bind(call);
  InlineExecutor executor;
  const std::size_t bytes = bound.workspace_bytes(1);
  ASSERT_GT(bytes, 0u);
  alignas(workspace_alignment) std::byte memory[4096];
  ASSERT_LE(bytes + 8, sizeof memory);
  EXPECT_EQ(bound.run(std::span(memory).first(bytes - 1), executor), Status::invalid_workspace);
  EXPECT_EQ(bound.run(std::span(memory).subspan(8), executor), Status::invalid_workspace);
  EXPECT_TRUE(call.outputs_untouched());
  EXPECT_EQ(bound.run(std::span(memory).first(bytes), executor), Status::ok);
  EXPECT_FALSE(call.outputs_untouched());
}

}  // namespace
}  // namespace attune
