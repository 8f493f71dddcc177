// The structs of the plugin ABI: what they carry, and how they are read when only their writer knows how long they are.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include <attune/plugin_structs.hpp>

#include "tests/support/guarded_memory.hpp"

namespace attune::plugin {
namespace {

template <typename Struct>
class EveryStruct : public testing::Test {};
using Structs = testing::Types<attune_problem, attune_extents, attune_machine, attune_arguments, attune_executor,
                               attune_host, attune_plugin>;
TYPED_TEST_SUITE(EveryStruct, Structs);

/// Fills the buffer, which ends where memory does, with a head and 0xff behind it.
void write(test::GuardedBuffer& buffer, std::uint32_t claimed_size) {
  std::memset(buffer.data(), 0xff, buffer.bytes().size());
  const attune_head head{ATTUNE_ABI_MAGIC, claimed_size, ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR};
  std::memcpy(buffer.data(), &head, std::min(sizeof head, buffer.bytes().size()));
}

TYPED_TEST(EveryStruct, FirstVersionsSizeNeverChanges) {
  EXPECT_GE(sizeof(TypeParam), first_size<TypeParam>);
  EXPECT_EQ(first_size<TypeParam> % alignof(TypeParam), 0u);
}

TYPED_TEST(EveryStruct, IsReadNoFurtherThanItsSizeWhateverItIs) {
  for (std::uint32_t size = sizeof(attune_head); size <= sizeof(TypeParam) + 64; ++size) {
    test::GuardedBuffer buffer(size);
    write(buffer, size);
    TypeParam to;
    const bool accepted = read(reinterpret_cast<const TypeParam*>(buffer.data()), to);
    EXPECT_EQ(accepted, size >= first_size<TypeParam>) << size;
    const auto* bytes = reinterpret_cast<const unsigned char*>(&to);
    for (std::size_t at = sizeof(attune_head); at < sizeof to; ++at) {
      ASSERT_EQ(bytes[at], accepted && at < size ? 0xff : 0) << at << " of " << size;
    }
  }
}

TYPED_TEST(EveryStruct, NothingBehindTheHeadIsReadOfAForeignOne) {
  test::GuardedBuffer buffer(sizeof(attune_head));
  TypeParam to;
  for (std::uint32_t size = 0; size < first_size<TypeParam>; ++size) {
    write(buffer, size);
    EXPECT_FALSE(read(reinterpret_cast<const TypeParam*>(buffer.data()), to)) << size;
  }
  write(buffer, sizeof(TypeParam));
  buffer.data()[0] ^= std::byte{1};
  EXPECT_FALSE(read(reinterpret_cast<const TypeParam*>(buffer.data()), to));
  EXPECT_FALSE(read(static_cast<const TypeParam*>(nullptr), to));
}

TYPED_TEST(EveryStruct, IsMadeWithItsHead) {
  const auto made = make<TypeParam>();
  EXPECT_EQ(made.head.magic, ATTUNE_ABI_MAGIC);
  EXPECT_EQ(made.head.struct_size, sizeof(TypeParam));
  TypeParam to;
  EXPECT_TRUE(read(&made, to));
}

Problem problem_with_everything() {
  Problem problem{.heads = 8, .kv_heads = 2, .head_dim = 40, .value_dim = 24};
  problem.query_dtype = DType::f16;
  problem.out_dtype = DType::bf16;
  problem.mask = MaskKind::boolean;
  problem.align = Align::Kind::offsets;
  problem.window_left = 3;
  problem.window_right = 5;
  problem.causal = problem.softcap = problem.alibi = problem.sinks = problem.key_lengths = true;
  problem.cu_seqlens = problem.lse = problem.weights = problem.block_mask = true;
  return problem;
}

TEST(PluginStructs, ProblemsComeBackAsTheyWere) {
  for (const Problem& problem : {Problem{}, problem_with_everything()}) {
    EXPECT_EQ(from_abi(to_abi(problem)), problem);
    EXPECT_EQ(to_abi(problem).features, problem.features());
  }
}

TEST(PluginStructs, ExtentsComeBackAsTheyWere) {
  const Extents extents{1, 2, 3, 4, 5};
  EXPECT_EQ(from_abi(to_abi(extents)), extents);
}

TEST(PluginStructs, MachinesComeBackAsTheyWere) {
  const Machine machine{"a CPU", {Isa::sse2, Isa::avx2}, Isa::avx2, 1, 2, 3, 4};
  const Machine back = from_abi(to_abi(machine));
  EXPECT_EQ(back.cpu, machine.cpu);
  EXPECT_EQ(back.isas, machine.isas);
  EXPECT_EQ(back.isa, machine.isa);
  EXPECT_EQ(back.l1_bytes, 1u);
  EXPECT_EQ(back.l2_bytes, 2u);
  EXPECT_EQ(back.l3_bytes, 3u);
  EXPECT_EQ(back.cores, 4);
}

TEST(PluginStructs, AnInstructionSetOfALaterHostGivesWayToTheStrongestKnown) {
  Machine machine{"a CPU", {Isa::sse2, Isa::avx2}, Isa::avx2, 1, 2, 3, 4};
  attune_machine abi = to_abi(machine);
  abi.isa = 40;
  abi.isas |= std::uint64_t{1} << 40;
  const Machine back = from_abi(abi);
  EXPECT_EQ(back.isa, Isa::avx2);
  EXPECT_EQ(back.isas, machine.isas);
}

/// A tensor unlike every other.
MutableTensorView tensor(DType dtype, int number, char* data) {
  MutableTensorView view;
  view.dtype = dtype;
  view.rank = 4;
  for (std::size_t axis = 0; axis < 4; ++axis) {
    view.shape[axis] = number * 10 + static_cast<int>(axis);
    view.strides[axis] = -number;
  }
  view.data = data + number;
  return view;
}

void expect_same(const TensorView& a, const TensorView& b, const char* name) {
  EXPECT_EQ(a.data, b.data) << name;
  EXPECT_EQ(a.dtype, b.dtype) << name;
  EXPECT_EQ(a.rank, b.rank) << name;
  EXPECT_EQ(a.shape, b.shape) << name;
  EXPECT_EQ(a.strides, b.strides) << name;
}

Arguments arguments_with_everything(char* data) {
  Arguments a;
  a.query = tensor(DType::f16, 1, data);
  a.key = tensor(DType::f32, 2, data);
  a.value = tensor(DType::bf16, 3, data);
  a.out = tensor(DType::f64, 4, data);
  a.lse = tensor(DType::f32, 5, data);
  a.weights = tensor(DType::f32, 6, data);
  a.mask = tensor(DType::boolean, 7, data);
  a.block_mask = tensor(DType::boolean, 8, data);
  a.alibi_slopes = tensor(DType::f32, 9, data);
  a.sinks = tensor(DType::f32, 10, data);
  a.key_lengths = tensor(DType::i32, 11, data);
  a.cu_seqlens_q = tensor(DType::i64, 12, data);
  a.cu_seqlens_k = tensor(DType::i32, 13, data);
  a.align = {Align::Kind::offsets, -7, tensor(DType::i64, 14, data)};
  a.members = 15, a.heads = 16, a.kv_heads = 17, a.head_dim = 18, a.value_dim = 19;
  a.window_left = 20, a.window_right = 21, a.block_queries = 22, a.block_keys = 23;
  a.scale = -0.5, a.softcap = 25.5, a.causal = true;
  return a;
}

TEST(PluginStructs, ArgumentsComeBackAsTheyWere) {
  char data[32];
  const Arguments a = arguments_with_everything(data);
  const Arguments b = from_abi(to_abi(a, 0));
  expect_same(a.query, b.query, "query");
  expect_same(a.key, b.key, "key");
  expect_same(a.value, b.value, "value");
  expect_same(a.out, b.out, "out");
  expect_same(a.lse, b.lse, "lse");
  expect_same(a.weights, b.weights, "weights");
  expect_same(a.mask, b.mask, "mask");
  expect_same(a.block_mask, b.block_mask, "block_mask");
  expect_same(a.alibi_slopes, b.alibi_slopes, "alibi_slopes");
  expect_same(a.sinks, b.sinks, "sinks");
  expect_same(a.key_lengths, b.key_lengths, "key_lengths");
  expect_same(a.cu_seqlens_q, b.cu_seqlens_q, "cu_seqlens_q");
  expect_same(a.cu_seqlens_k, b.cu_seqlens_k, "cu_seqlens_k");
  expect_same(a.align.offsets, b.align.offsets, "align.offsets");
  EXPECT_EQ(a.align.kind, b.align.kind);
  EXPECT_EQ(a.align.offset, b.align.offset);
  EXPECT_EQ(a.members, b.members);
  EXPECT_EQ(a.heads, b.heads);
  EXPECT_EQ(a.kv_heads, b.kv_heads);
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.value_dim, b.value_dim);
  EXPECT_EQ(a.window_left, b.window_left);
  EXPECT_EQ(a.window_right, b.window_right);
  EXPECT_EQ(a.block_queries, b.block_queries);
  EXPECT_EQ(a.block_keys, b.block_keys);
  EXPECT_EQ(a.scale, b.scale);
  EXPECT_EQ(a.softcap, b.softcap);
  EXPECT_EQ(a.causal, b.causal);
}

TEST(PluginStructs, TextIsCutOffWhereTheRoomEnds) {
  char text[4] = {'x', 'x', 'x', 'x'};
  write_text("abcdef", text, 3);
  EXPECT_STREQ(text, "ab");
  EXPECT_EQ(text[3], 'x');
  write_text("abcdef", text, 0);
  write_text("abcdef", nullptr, 8);
  EXPECT_STREQ(text, "ab");
}

}  // namespace
}  // namespace attune::plugin
