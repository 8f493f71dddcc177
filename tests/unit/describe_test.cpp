// describe(): what it says of sound calls, and one row for everything that it refuses.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/unit/small_call.hpp"

namespace attune {
namespace {

using test::refusal;
using test::SmallCall;

TEST(Describe, TellsProblemAndExtents) {
  SmallCall call;
  call.options.causal = true;
  call.options.window_left = 7;
  call.options.softcap = 30;
  call.options.attn_mask = call.mask_view();
  call.options.lse = call.lse_view();
  const auto [problem, extents] = describe(call.tensors, call.options);
  EXPECT_EQ(problem.heads, 4);
  EXPECT_EQ(problem.kv_heads, 2);
  EXPECT_EQ(problem.head_dim, 8);
  EXPECT_EQ(problem.value_dim, 6);
  EXPECT_EQ(problem.mask, MaskKind::f32);
  EXPECT_EQ(problem.window_left, 7);
  EXPECT_TRUE(problem.causal && problem.softcap && problem.lse);
  EXPECT_FALSE(problem.weights || problem.alibi || problem.sinks || problem.key_lengths || problem.cu_seqlens);
  EXPECT_EQ(extents, Extents::padded(2, 3, 5));
}

TEST(Describe, PackedExtentsAreThoseOfTheLongestMember) {
  SmallCall call;
  call.make_packed();
  const auto [problem, extents] = describe(call.tensors, call.options);
  EXPECT_TRUE(problem.cu_seqlens);
  EXPECT_EQ(problem.heads, 4);
  EXPECT_EQ(extents.batch, 2);
  EXPECT_EQ(extents.queries, 4);
  EXPECT_EQ(extents.keys, 7);
  EXPECT_EQ(extents.total_queries, 6);
  EXPECT_EQ(extents.total_keys, 10);
}

TEST(Describe, TakesEmptyTensors) {
  for (const auto& [batch, queries, keys, value_dim] :
       std::vector<std::array<std::int64_t, 4>>{{0, 3, 5, 6}, {2, 0, 5, 6}, {2, 3, 0, 6}, {2, 3, 5, 0}}) {
    SmallCall call;
    call.tensors.query.shape = {batch, 4, queries, 8};
    call.tensors.key.shape = {batch, 2, keys, 8};
    call.tensors.value.shape = {batch, 2, keys, value_dim};
    call.tensors.out.shape = {batch, 4, queries, value_dim};
    EXPECT_NO_THROW(describe(call.tensors, call.options));
  }
}

TEST(Describe, TakesEveryMixOfDtypes) {
  for (const DType query : {DType::f32, DType::f16, DType::bf16}) {
    for (const DType key : {DType::f32, DType::f16, DType::bf16}) {
      for (const DType out : {DType::f32, query}) {
        SmallCall call;
        call.tensors.query.dtype = query;
        call.tensors.key.dtype = key;
        call.tensors.value.dtype = key;
        call.tensors.out.dtype = out;
        EXPECT_NO_THROW(describe(call.tensors, call.options)) << name(query) << " " << name(key) << " " << name(out);
      }
    }
  }
  SmallCall f64;
  f64.tensors.query.dtype = f64.tensors.key.dtype = f64.tensors.value.dtype = DType::f64;
  EXPECT_NO_THROW(describe(f64.tensors, f64.options));
  f64.tensors.out.dtype = DType::f64;
  EXPECT_NO_THROW(describe(f64.tensors, f64.options));
}

TEST(Describe, TakesMasksOfEveryBroadcastableShape) {
  for (const auto& shape : std::vector<TensorLayout>{contiguous({5}), contiguous({1}), contiguous({3, 5}),
                                                     contiguous({3, 1}), contiguous({4, 3, 5}), contiguous({1, 1, 5}),
                                                     contiguous({2, 1, 1, 5}), contiguous({2, 4, 3, 5})}) {
    SmallCall call;
    call.options.attn_mask = view(std::as_const(call.mask).data(), shape);
    EXPECT_NO_THROW(describe(call.tensors, call.options));
  }
}

TEST(Describe, TakesBlockMapsOfEveryBroadcastAndBlockSize) {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  struct Map {
    std::int64_t batch, heads, block_queries, block_keys, query_blocks, key_blocks;
  };
  for (const Map& m : {Map{2, 4, 2, 2, 2, 3},
                       {1, 4, 2, 2, 2, 3},
                       {2, 1, 1, 1, 3, 5},
                       {1, 1, 3, 5, 1, 1},
                       {1, 1, huge, huge, 1, 1},
                       {1, 1, 2, 4, 2, 2}}) {
    SmallCall call;
    call.set_block_mask();
    call.options.block_mask->shape = {m.batch, m.heads, m.query_blocks, m.key_blocks};
    call.options.block_queries = m.block_queries;
    call.options.block_keys = m.block_keys;
    EXPECT_TRUE(describe(call.tensors, call.options).problem.block_mask);
  }
}

TEST(Describe, TakesTheBlockMapOfTheLongestMember) {
  SmallCall call;
  call.make_packed();
  call.set_block_mask();
  call.options.block_mask->shape = {2, 4, 2, 4};  // 4 queries and 7 keys
  EXPECT_TRUE(describe(call.tensors, call.options).problem.block_mask);
}

TEST(Describe, TakesABlockMapOfNothing) {
  SmallCall call;
  call.set_block_mask();
  call.tensors.key.shape[2] = call.tensors.value.shape[2] = 0;
  call.options.block_mask->shape[3] = 0;
  EXPECT_NO_THROW(describe(call.tensors, call.options));
}

struct Wrong {
  const char* what;
  std::function<void(SmallCall&)> spoil;
  std::vector<const char*> words;  // all in the message; the first is the argument's name
};

void PrintTo(const Wrong& wrong, std::ostream* stream) { *stream << wrong.what; }

class Refused : public testing::TestWithParam<Wrong> {};

/// Through the front door, so that "nothing is written" is tested with it.
TEST_P(Refused, NamingTheArgumentAndWritingNothing) {
  SmallCall call;
  GetParam().spoil(call);
  const std::string message = refusal([&] { describe(call.tensors, call.options); });
  for (const char* word : GetParam().words) EXPECT_NE(message.find(word), std::string::npos) << message;
  EXPECT_EQ(message.rfind(GetParam().words.front(), 0), 0u) << message << " must begin with the argument";
  refusal([&] { default_engine().attention(call.tensors, call.options); });
  EXPECT_TRUE(call.outputs_untouched());
}

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max() / 2;

const Wrong tensors[] = {
    {"query of rank 3", [](SmallCall& c) { c.tensors.query.rank = 3; }, {"query:", "rank is 3", "must be 4"}},
    {"key of rank 0", [](SmallCall& c) { c.tensors.key.rank = 0; }, {"key:", "rank is 0"}},
    {"value of rank 5", [](SmallCall& c) { c.tensors.value.rank = 5; }, {"value:", "rank is 5"}},
    {"out of negative rank", [](SmallCall& c) { c.tensors.out.rank = -1; }, {"out:", "rank is -1"}},
    {"a negative size", [](SmallCall& c) { c.tensors.key.shape[2] = -5; }, {"key:", "negative", "-5"}},
    {"too many elements", [](SmallCall& c) { c.tensors.query.shape[2] = huge; }, {"query:", "too many elements"}},
    {"sizes whose product overflows",
     [](SmallCall& c) { c.tensors.value.shape = {1 << 30, 1 << 30, 5, 6}; },
     {"value:", "too many elements"}},
    {"an unknown dtype", [](SmallCall& c) { c.tensors.key.dtype = static_cast<DType>(99); }, {"key:", "must be f32"}},
    {"an integer query", [](SmallCall& c) { c.tensors.query.dtype = DType::i32; }, {"query:", "i32", "must be f32"}},
    {"a boolean value", [](SmallCall& c) { c.tensors.value.dtype = DType::boolean; }, {"value:", "bool"}},
    {"f64 key alone", [](SmallCall& c) { c.tensors.key.dtype = DType::f64; }, {"key:", "f64", "query's is f32"}},
    {"f64 query alone", [](SmallCall& c) { c.tensors.query.dtype = DType::f64; }, {"key:", "f32", "f64"}},
    {"f16 out of f32 query", [](SmallCall& c) { c.tensors.out.dtype = DType::f16; }, {"out:", "f16", "must be f32"}},
    {"integer out", [](SmallCall& c) { c.tensors.out.dtype = DType::i64; }, {"out:", "i64"}},
    {"key of another batch", [](SmallCall& c) { c.tensors.key.shape[0] = 1; }, {"key:", "batch is 1", "query's is 2"}},
    {"key of another head_dim", [](SmallCall& c) { c.tensors.key.shape[3] = 7; }, {"key:", "head_dim is 7", "is 8"}},
    {"head_dim 0",
     [](SmallCall& c) { c.tensors.query.shape[3] = c.tensors.key.shape[3] = 0; },
     {"query:", "head_dim is 0", "at least 1"}},
    {"heads that do not divide",
     [](SmallCall& c) { c.tensors.key.shape[1] = c.tensors.value.shape[1] = 3; },
     {"key:", "heads is 3", "query's is 4", "multiple"}},
    {"no key heads",
     [](SmallCall& c) { c.tensors.key.shape[1] = c.tensors.value.shape[1] = 0; },
     {"key:", "heads is 0", "query's is 4"}},
    {"value of another batch", [](SmallCall& c) { c.tensors.value.shape[0] = 3; }, {"value:", "batch is 3"}},
    {"value of other heads", [](SmallCall& c) { c.tensors.value.shape[1] = 1; }, {"value:", "heads is 1"}},
    {"value of another length",
     [](SmallCall& c) { c.tensors.value.shape[2] = 4; },
     {"value:", "length is 4", "key's is 5"}},
    {"out of another batch", [](SmallCall& c) { c.tensors.out.shape[0] = 1; }, {"out:", "batch is 1"}},
    {"out of other heads", [](SmallCall& c) { c.tensors.out.shape[1] = 2; }, {"out:", "heads is 2"}},
    {"out of another length", [](SmallCall& c) { c.tensors.out.shape[2] = 5; }, {"out:", "length is 5"}},
    {"out of another value_dim",
     [](SmallCall& c) { c.tensors.out.shape[3] = 8; },
     {"out:", "value_dim is 8", "value's is 6"}},
};

const Wrong numbers[] = {
    {"NaN scale", [](SmallCall& c) { c.options.scale = not_a_number; }, {"scale:", "nan", "finite"}},
    {"infinite scale", [](SmallCall& c) { c.options.scale = -infinity; }, {"scale:", "inf", "finite"}},
    {"scale beyond f32", [](SmallCall& c) { c.options.scale = -1e39; }, {"scale:", "-1e+39", "finite in f32"}},
    {"softcap beyond f32", [](SmallCall& c) { c.options.softcap = 1e39; }, {"softcap:", "1e+39", "finite in f32"}},
    {"softcap that is 0 in f32", [](SmallCall& c) { c.options.softcap = 1e-60; }, {"softcap:", "1e-60", "1.18e-38"}},
    {"negative softcap", [](SmallCall& c) { c.options.softcap = -1; }, {"softcap:", "-1"}},
    {"NaN softcap", [](SmallCall& c) { c.options.softcap = not_a_number; }, {"softcap:", "nan"}},
    {"infinite softcap", [](SmallCall& c) { c.options.softcap = infinity; }, {"softcap:", "inf"}},
    {"window_left -2", [](SmallCall& c) { c.options.window_left = -2; }, {"window_left:", "-2", "-1"}},
    {"lowest window_left",
     [](SmallCall& c) { c.options.window_left = std::numeric_limits<std::int64_t>::min(); },
     {"window_left:", "-9223372036854775808"}},
    {"window_right -7", [](SmallCall& c) { c.options.window_right = -7; }, {"window_right:", "-7"}},
};

/// Sets an option to its sound tensor, changed.
template <typename Change>
auto with_mask(Change change) {
  return [change](SmallCall& c) { c.options.attn_mask = c.mask_view(), change(*c.options.attn_mask); };
}
template <typename Change>
auto with_lengths(Change change) {
  return [change](SmallCall& c) { c.options.key_lengths = c.lengths_view(), change(c, *c.options.key_lengths); };
}

template <typename Change>
auto with_block_mask(Change change) {
  return [change](SmallCall& c) { c.set_block_mask(), change(c.options); };
}

const Wrong block_masks[] = {
    {"map of rank 2",
     with_block_mask([](AttentionOptions& o) { o.block_mask->rank = 2; }),
     {"block_mask:", "rank is 2", "must be 4"}},
    {"map of u8",
     with_block_mask([](AttentionOptions& o) { o.block_mask->dtype = DType::u8; }),
     {"block_mask:", "u8", "must be bool"}},
    {"map of f32",
     with_block_mask([](AttentionOptions& o) { o.block_mask->dtype = DType::f32; }),
     {"block_mask:", "f32", "must be bool"}},
    {"map of negative size",
     with_block_mask([](AttentionOptions& o) { o.block_mask->shape[2] = -2; }),
     {"block_mask:", "negative"}},
    {"map of too many elements",
     with_block_mask([](AttentionOptions& o) { o.block_mask->shape[1] = huge; }),
     {"block_mask:", "too many elements"}},
    {"map of another batch",
     with_block_mask([](AttentionOptions& o) { o.block_mask->shape[0] = 3; }),
     {"block_mask:", "[3, 4, 2, 3]", "[2, 4, 2, 3]"}},
    {"map of kv heads",
     with_block_mask([](AttentionOptions& o) { o.block_mask->shape[1] = 2; }),
     {"block_mask:", "[2, 2, 2, 3]", "[2, 4, 2, 3]", "heads or 1"}},
    {"map without the last queries",
     with_block_mask([](AttentionOptions& o) { o.block_mask->shape[2] = 1; }),
     {"block_mask:", "[2, 4, 1, 3]", "rounded up"}},
    {"map with a block too many",
     with_block_mask([](AttentionOptions& o) { o.block_mask->shape[3] = 4; }),
     {"block_mask:", "[2, 4, 2, 4]", "[2, 4, 2, 3]"}},
    {"block sizes swapped",
     with_block_mask([](AttentionOptions& o) { o.block_queries = 1, o.block_keys = 3; }),
     {"block_mask:", "[2, 4, 2, 3]", "[2, 4, 3, 2]"}},
    {"no block_queries",
     with_block_mask([](AttentionOptions& o) { o.block_queries = 0; }),
     {"block_queries:", "is 0", "at least 1"}},
    {"negative block_keys",
     with_block_mask([](AttentionOptions& o) { o.block_keys = -64; }),
     {"block_keys:", "is -64", "at least 1"}},
    {"block_queries without a map",
     [](SmallCall& c) { c.options.block_queries = 64; },
     {"block_queries:", "is 64", "without block_mask"}},
    {"block_keys without a map",
     [](SmallCall& c) { c.options.block_keys = -1; },
     {"block_keys:", "is -1", "without block_mask"}},
    {"map of the packed total",
     [](SmallCall& c) { c.make_packed(), c.set_block_mask(); },
     {"block_mask:", "[2, 4, 2, 3]", "[2, 4, 2, 4]"}},
};

const Wrong option_tensors[] = {
    {"mask of rank 0", with_mask([](TensorView& m) { m.rank = 0; }), {"attn_mask:", "rank is 0", "1 to 4"}},
    {"mask of rank 5", with_mask([](TensorView& m) { m.rank = 5; }), {"attn_mask:", "rank is 5"}},
    {"mask of too many elements",
     with_mask([](TensorView& m) { m.shape[3] = huge; }),
     {"attn_mask:", "too many elements"}},
    {"mask of u8", with_mask([](TensorView& m) { m.dtype = DType::u8; }), {"attn_mask:", "u8", "bool"}},
    {"mask of f64", with_mask([](TensorView& m) { m.dtype = DType::f64; }), {"attn_mask:", "f64", "f32"}},
    {"mask too long", with_mask([](TensorView& m) { m.shape[3] = 6; }), {"attn_mask:", "[2, 4, 3, 6]", "[2, 4, 3, 5]"}},
    {"mask of kv heads", with_mask([](TensorView& m) { m.shape[1] = 2; }), {"attn_mask:", "[2, 2, 3, 5]"}},
    {"mask of negative size", with_mask([](TensorView& m) { m.shape[0] = -1; }), {"attn_mask:", "negative"}},
    {"slopes of f16",
     [](SmallCall& c) { c.options.alibi_slopes = c.slopes_view(), c.options.alibi_slopes->dtype = DType::f16; },
     {"alibi_slopes:", "f16", "f32"}},
    {"slopes of other heads",
     [](SmallCall& c) { c.options.alibi_slopes = view(std::as_const(c.slopes).data(), contiguous({2})); },
     {"alibi_slopes:", "[2]", "[4]", "heads"}},
    {"slopes transposed",
     [](SmallCall& c) { c.options.alibi_slopes = view(std::as_const(c.slopes).data(), contiguous({4, 2})); },
     {"alibi_slopes:", "[4, 2]", "[2, 4]"}},
    {"slopes of rank 3",
     [](SmallCall& c) { c.options.alibi_slopes = view(std::as_const(c.slopes).data(), contiguous({1, 2, 4})); },
     {"alibi_slopes:", "rank is 3"}},
    {"slopes of negative size",
     [](SmallCall& c) { c.options.alibi_slopes = c.slopes_view(), c.options.alibi_slopes->shape[1] = -4; },
     {"alibi_slopes:", "[2, -4]", "[2, 4]"}},
    {"sinks of rank 0",
     [](SmallCall& c) { c.options.sinks = c.sinks_view(), c.options.sinks->rank = 0; },
     {"sinks:", "rank is 0"}},
    {"sinks of other heads",
     [](SmallCall& c) { c.options.sinks = c.sinks_view(), c.options.sinks->shape[0] = 3; },
     {"sinks:", "[3]", "[4]"}},
    {"sinks of f64",
     [](SmallCall& c) { c.options.sinks = c.sinks_view(), c.options.sinks->dtype = DType::f64; },
     {"sinks:", "f64", "f32"}},
    {"sinks of rank 2",
     [](SmallCall& c) { c.options.sinks = view(std::as_const(c.sinks).data(), contiguous({1, 4})); },
     {"sinks:", "rank is 2"}},
    {"too many lengths",
     with_lengths([](SmallCall&, TensorView& l) { l.shape[0] = 3; }),
     {"key_lengths:", "[3]", "[2]"}},
    {"lengths of rank 2",
     with_lengths([](SmallCall&, TensorView& l) { l = view(l.as<std::int64_t>(), contiguous({1, 2})); }),
     {"key_lengths:", "rank is 2"}},
    {"lengths of negative size",
     with_lengths([](SmallCall&, TensorView& l) { l.shape[0] = -2; }),
     {"key_lengths:", "[-2]", "[2]"}},
    {"lengths that stride out of memory",
     with_lengths([](SmallCall&, TensorView& l) { l.strides[0] = std::numeric_limits<std::int64_t>::max(); }),
     {"key_lengths:", "address space"}},
    {"float lengths",
     with_lengths([](SmallCall&, TensorView& l) { l.dtype = DType::f32; }),
     {"key_lengths:", "f32", "i64"}},
    {"null lengths", with_lengths([](SmallCall&, TensorView& l) { l.data = nullptr; }), {"key_lengths:", "null"}},
    {"misaligned lengths",
     with_lengths([](SmallCall&, TensorView& l) { l.data = l.as<char>() + 4; }),
     {"key_lengths:", "aligned", "8 bytes"}},
    {"a length above Sk",
     with_lengths([](SmallCall& c, TensorView&) { c.lengths[1] = 6; }),
     {"key_lengths:", "element 1 is 6", "5"}},
    {"a negative length",
     with_lengths([](SmallCall& c, TensorView&) { c.lengths[0] = -1; }),
     {"key_lengths:", "element 0 is -1"}},
    {"offsets of another batch",
     [](SmallCall& c) { c.options.align = Align::per_batch(c.offsets_view()), c.options.align.offsets.shape[0] = 1; },
     {"align.offsets:", "[1]", "[2]"}},
    {"float offsets",
     [](SmallCall& c) {
       c.options.align = Align::per_batch(c.offsets_view()), c.options.align.offsets.dtype = DType::f32;
     },
     {"align.offsets:", "f32", "i64"}},
    {"null offsets",
     [](SmallCall& c) { c.options.align = Align::per_batch(c.offsets_view()), c.options.align.offsets.data = nullptr; },
     {"align.offsets:", "null"}},
    {"offsets without a tensor",
     [](SmallCall& c) { c.options.align.kind = Align::Kind::offsets; },
     {"align.offsets:", "rank"}},
    {"an unknown alignment",
     [](SmallCall& c) { c.options.align.kind = static_cast<Align::Kind>(9); },
     {"align:", "unknown"}},
    {"lse of rank 4",
     [](SmallCall& c) { c.options.lse = view(c.lse.data(), contiguous({2, 4, 3, 1})); },
     {"lse:", "rank is 4"}},
    {"lse of another length",
     [](SmallCall& c) { c.options.lse = c.lse_view(), c.options.lse->shape[2] = 5; },
     {"lse:", "[2, 4, 5]", "[2, 4, 3]"}},
    {"lse of f64",
     [](SmallCall& c) { c.options.lse = c.lse_view(), c.options.lse->dtype = DType::f64; },
     {"lse:", "f64", "f32"}},
    {"lse of negative size",
     [](SmallCall& c) { c.options.lse = c.lse_view(), c.options.lse->shape[0] = -2; },
     {"lse:", "[-2, 4, 3]", "[2, 4, 3]"}},
    {"weights of rank 3",
     [](SmallCall& c) { c.options.weights = c.weights_view(), c.options.weights->rank = 3; },
     {"weights:", "rank is 3"}},
    {"weights of another shape",
     [](SmallCall& c) { c.options.weights = c.weights_view(), c.options.weights->shape[3] = 4; },
     {"weights:", "[2, 4, 3, 4]", "[2, 4, 3, 5]"}},
    {"weights of bf16",
     [](SmallCall& c) { c.options.weights = c.weights_view(), c.options.weights->dtype = DType::bf16; },
     {"weights:", "bf16"}},
};

template <typename Change>
auto packed_with(Change change) {
  return [change](SmallCall& c) { c.make_packed(), change(c); };
}

const Wrong packed_calls[] = {
    {"only cu_seqlens_q",
     packed_with([](SmallCall& c) { c.options.cu_seqlens_k.reset(); }),
     {"cu_seqlens_k:", "cu_seqlens_q"}},
    {"only cu_seqlens_k",
     packed_with([](SmallCall& c) { c.options.cu_seqlens_q.reset(); }),
     {"cu_seqlens_q:", "cu_seqlens_k"}},
    {"with attn_mask",
     packed_with([](SmallCall& c) { c.options.attn_mask = c.mask_view(); }),
     {"attn_mask:", "cu_seqlens"}},
    {"with weights",
     packed_with([](SmallCall& c) { c.options.weights = c.weights_view(); }),
     {"weights:", "cu_seqlens"}},
    {"with key_lengths",
     packed_with([](SmallCall& c) { c.options.key_lengths = c.lengths_view(); }),
     {"key_lengths:", "cu_seqlens"}},
    {"query of rank 4",
     packed_with([](SmallCall& c) { c.tensors.query.rank = 4; }),
     {"query:", "rank is 4", "must be 3"}},
    {"no boundaries",
     packed_with([](SmallCall& c) { c.options.cu_seqlens_q->shape[0] = 0; }),
     {"cu_seqlens_q:", "no elements"}},
    {"boundaries of rank 2",
     packed_with([](SmallCall& c) { c.options.cu_seqlens_q->rank = 2; }),
     {"cu_seqlens_q:", "rank is 2"}},
    {"boundaries of negative size",
     packed_with([](SmallCall& c) { c.options.cu_seqlens_q->shape[0] = -3; }),
     {"cu_seqlens_q:", "negative"}},
    {"misaligned boundaries",
     packed_with([](SmallCall& c) { c.options.cu_seqlens_k->data = c.options.cu_seqlens_k->as<char>() + 2; }),
     {"cu_seqlens_k:", "aligned", "4 bytes"}},
    {"a negative boundary",
     packed_with([](SmallCall& c) { c.cu_seqlens_k[1] = -1; }),
     {"cu_seqlens_k:", "falls from 0 to -1"}},
    {"offsets of other members",
     packed_with([](SmallCall& c) {
       c.options.align = Align::per_batch(view(std::as_const(c.lengths).data(), contiguous({1})));
     }),
     {"align.offsets:", "[1]", "[2]"}},
    {"slopes of other members",
     packed_with(
         [](SmallCall& c) { c.options.alibi_slopes = view(std::as_const(c.slopes).data(), contiguous({1, 4})); }),
     {"alibi_slopes:", "[1, 4]", "[2, 4]"}},
    {"different members",
     packed_with([](SmallCall& c) { c.options.cu_seqlens_k->shape[0] = 2; }),
     {"cu_seqlens_k:", "[2]", "[3]"}},
    {"float boundaries",
     packed_with([](SmallCall& c) { c.options.cu_seqlens_k->dtype = DType::f32; }),
     {"cu_seqlens_k:", "f32"}},
    {"null boundaries",
     packed_with([](SmallCall& c) { c.options.cu_seqlens_q->data = nullptr; }),
     {"cu_seqlens_q:", "null"}},
    {"starting at 1", packed_with([](SmallCall& c) { c.cu_seqlens_q[0] = 1; }), {"cu_seqlens_q:", "starts at 1"}},
    {"falling", packed_with([](SmallCall& c) { c.cu_seqlens_k[1] = 11; }), {"cu_seqlens_k:", "falls from 11 to 10"}},
    {"ending early", packed_with([](SmallCall& c) { c.cu_seqlens_q[2] = 5; }), {"cu_seqlens_q:", "ends at 5", "6"}},
    {"ending late", packed_with([](SmallCall& c) { c.cu_seqlens_k[2] = 12; }), {"cu_seqlens_k:", "ends at 12", "10"}},
    {"out of other tokens",
     packed_with([](SmallCall& c) { c.tensors.out.shape[0] = 5; }),
     {"out:", "total_tokens is 5"}},
    {"padded lse", packed_with([](SmallCall& c) { c.options.lse = c.lse_view(); }), {"lse:", "rank is 3"}},
    {"lse of other tokens",
     packed_with([](SmallCall& c) { c.options.lse = view(c.lse.data(), contiguous({4, 5})); }),
     {"lse:", "[4, 5]", "[4, 6]"}},
};

std::string case_name(const testing::TestParamInfo<Wrong>& info) {
  std::string text = info.param.what;
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return text;
}

INSTANTIATE_TEST_SUITE_P(Tensors, Refused, testing::ValuesIn(tensors), case_name);
INSTANTIATE_TEST_SUITE_P(Numbers, Refused, testing::ValuesIn(numbers), case_name);
INSTANTIATE_TEST_SUITE_P(BlockMasks, Refused, testing::ValuesIn(block_masks), case_name);
INSTANTIATE_TEST_SUITE_P(OptionTensors, Refused, testing::ValuesIn(option_tensors), case_name);
INSTANTIATE_TEST_SUITE_P(Packed, Refused, testing::ValuesIn(packed_calls), case_name);

}  // namespace
}  // namespace attune
