// Both sides of the plugin ABI in C++: Attune's types as the structs of plugin_abi.h and back, and how a struct is read
// whose size only its writer knows. The host writes problems, extents, machines and arguments; a plugin reads them.
// Everything has internal linkage: host and plugins, and two plugins, share none of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

#include <attune/plugin_abi.h>
#include <attune/arguments.hpp>
#include <attune/machine.hpp>
#include <attune/problem.hpp>

namespace attune::plugin {
namespace {

template <typename Struct>
constexpr std::uint32_t first_size = 0;
template <>
constexpr std::uint32_t first_size<attune_problem> = attune_problem_size_1_0;
template <>
constexpr std::uint32_t first_size<attune_extents> = attune_extents_size_1_0;
template <>
constexpr std::uint32_t first_size<attune_machine> = attune_machine_size_1_0;
template <>
constexpr std::uint32_t first_size<attune_arguments> = attune_arguments_size_1_0;
template <>
constexpr std::uint32_t first_size<attune_executor> = attune_executor_size_1_0;
template <>
constexpr std::uint32_t first_size<attune_host> = attune_host_size_1_0;
template <>
constexpr std::uint32_t first_size<attune_plugin> = attune_plugin_size_1_0;

static_assert(sizeof(attune_head) == 16 && sizeof(attune_tensor) == 80, "these never change");
static_assert(ATTUNE_FEATURES_KNOWN == (static_cast<std::uint64_t>(Feature::block_mask) << 1) - 1,
              "plugin_abi.h and problem.hpp list the same features");
static_assert(attune_i64 == static_cast<int>(DType::i64) && attune_bool == static_cast<int>(DType::boolean));
static_assert(attune_mask_f64 == static_cast<int>(MaskKind::f64) && attune_isa_neon == static_cast<int>(Isa::neon));
static_assert(attune_align_offsets == static_cast<int>(Align::Kind::offsets));

/// An empty struct with its head filled in.
template <typename Struct>
Struct make() noexcept {
  Struct made{};
  made.head = {ATTUNE_ABI_MAGIC, sizeof(Struct), ATTUNE_ABI_MAJOR, ATTUNE_ABI_MINOR};
  return made;
}

/// Copies what both the writer and this header know; what the writer did not know becomes zero. Answers false, having
/// read no further than the head, for a struct that is none of Attune's or smaller than it ever was.
template <typename Struct>
bool read(const Struct* from, Struct& to) noexcept {
  static_assert(std::is_trivially_copyable_v<Struct> && first_size<Struct> >= sizeof(attune_head));
  to = {};
  if (from == nullptr) return false;
  attune_head head;
  std::memcpy(&head, from, sizeof head);
  if (head.magic != ATTUNE_ABI_MAGIC || head.struct_size < first_size<Struct>) return false;
  std::memcpy(&to, from, std::min<std::size_t>(head.struct_size, sizeof(Struct)));
  return true;
}

/// Text for the other side's buffer, cut off where the room ends.
inline void write_text(std::string_view text, char* to, std::uint64_t bytes) noexcept {
  if (to == nullptr || bytes == 0) return;
  const std::size_t length = std::min<std::uint64_t>(text.size(), bytes - 1);
  std::memcpy(to, text.data(), length);
  to[length] = '\0';
}

inline attune_tensor to_abi(const TensorLayout& layout, const void* data) noexcept {
  attune_tensor tensor{};
  tensor.data = const_cast<void*>(data);
  tensor.dtype = static_cast<std::int32_t>(layout.dtype);
  tensor.rank = layout.rank;
  std::copy(layout.shape.begin(), layout.shape.end(), tensor.shape);
  std::copy(layout.strides.begin(), layout.strides.end(), tensor.strides);
  return tensor;
}
inline attune_tensor to_abi(const TensorView& view) noexcept { return to_abi(view, view.data); }
inline attune_tensor to_abi(const MutableTensorView& view) noexcept { return to_abi(view, view.data); }

inline MutableTensorView from_abi(const attune_tensor& tensor) noexcept {
  MutableTensorView view;
  view.dtype = static_cast<DType>(tensor.dtype);
  view.rank = tensor.rank;
  std::copy_n(tensor.shape, view.shape.size(), view.shape.begin());
  std::copy_n(tensor.strides, view.strides.size(), view.strides.begin());
  view.data = tensor.data;
  return view;
}

inline attune_problem to_abi(const Problem& problem) noexcept {
  auto abi = make<attune_problem>();
  abi.features = problem.features();
  abi.heads = problem.heads;
  abi.kv_heads = problem.kv_heads;
  abi.head_dim = problem.head_dim;
  abi.value_dim = problem.value_dim;
  abi.query_dtype = static_cast<std::int32_t>(problem.query_dtype);
  abi.key_dtype = static_cast<std::int32_t>(problem.key_dtype);
  abi.value_dtype = static_cast<std::int32_t>(problem.value_dtype);
  abi.out_dtype = static_cast<std::int32_t>(problem.out_dtype);
  abi.mask = static_cast<std::int32_t>(problem.mask);
  abi.align = static_cast<std::int32_t>(problem.align);
  abi.window_left = problem.window_left;
  abi.window_right = problem.window_right;
  return abi;
}

inline Problem from_abi(const attune_problem& abi) noexcept {
  const auto uses = [&abi](std::uint64_t feature) { return (abi.features & feature) != 0; };
  Problem problem;
  problem.heads = abi.heads;
  problem.kv_heads = abi.kv_heads;
  problem.head_dim = abi.head_dim;
  problem.value_dim = abi.value_dim;
  problem.query_dtype = static_cast<DType>(abi.query_dtype);
  problem.key_dtype = static_cast<DType>(abi.key_dtype);
  problem.value_dtype = static_cast<DType>(abi.value_dtype);
  problem.out_dtype = static_cast<DType>(abi.out_dtype);
  problem.mask = static_cast<MaskKind>(abi.mask);
  problem.align = static_cast<Align::Kind>(abi.align);
  problem.window_left = abi.window_left;
  problem.window_right = abi.window_right;
  problem.causal = uses(ATTUNE_FEATURE_CAUSAL);
  problem.softcap = uses(ATTUNE_FEATURE_SOFTCAP);
  problem.alibi = uses(ATTUNE_FEATURE_ALIBI);
  problem.sinks = uses(ATTUNE_FEATURE_SINKS);
  problem.key_lengths = uses(ATTUNE_FEATURE_KEY_LENGTHS);
  problem.cu_seqlens = uses(ATTUNE_FEATURE_CU_SEQLENS);
  problem.lse = uses(ATTUNE_FEATURE_LSE);
  problem.weights = uses(ATTUNE_FEATURE_WEIGHTS);
  problem.block_mask = uses(ATTUNE_FEATURE_BLOCK_MASK);
  return problem;
}

inline attune_extents to_abi(const Extents& extents) noexcept {
  auto abi = make<attune_extents>();
  abi.batch = extents.batch;
  abi.queries = extents.queries;
  abi.keys = extents.keys;
  abi.total_queries = extents.total_queries;
  abi.total_keys = extents.total_keys;
  return abi;
}

inline Extents from_abi(const attune_extents& abi) noexcept {
  return {abi.batch, abi.queries, abi.keys, abi.total_queries, abi.total_keys};
}

inline std::uint64_t isa_bits(const std::vector<Isa>& isas) noexcept {
  std::uint64_t bits = 0;
  for (const Isa isa : isas) bits |= std::uint64_t{1} << static_cast<unsigned>(isa);
  return bits;
}

/// Those that this header knows, weakest first.
inline std::vector<Isa> isas_of(std::uint64_t bits) {
  std::vector<Isa> isas;
  for (unsigned isa = 0; isa <= static_cast<unsigned>(Isa::neon); ++isa) {
    if ((bits >> isa & 1) != 0) isas.push_back(static_cast<Isa>(isa));
  }
  return isas;
}

/// Its `cpu` points into the machine.
inline attune_machine to_abi(const Machine& machine) noexcept {
  auto abi = make<attune_machine>();
  abi.cpu = machine.cpu.c_str();
  abi.isas = isa_bits(machine.isas);
  abi.l1_bytes = machine.l1_bytes;
  abi.l2_bytes = machine.l2_bytes;
  abi.l3_bytes = machine.l3_bytes;
  abi.isa = static_cast<std::int32_t>(machine.isa);
  abi.cores = machine.cores;
  return abi;
}

/// An instruction set that a later host names and this header does not know gives way to the strongest that it knows.
inline Machine from_abi(const attune_machine& abi) {
  Machine machine;
  machine.cpu = abi.cpu != nullptr ? abi.cpu : "";
  machine.isas = isas_of(abi.isas);
  const bool known = abi.isa >= 0 && abi.isa <= static_cast<int>(Isa::neon);
  machine.isa = known ? static_cast<Isa>(abi.isa) : machine.isas.empty() ? Isa::generic : machine.isas.back();
  machine.l1_bytes = abi.l1_bytes;
  machine.l2_bytes = abi.l2_bytes;
  machine.l3_bytes = abi.l3_bytes;
  machine.cores = abi.cores;
  return machine;
}

inline attune_arguments to_abi(const Arguments& a, std::uint64_t features) noexcept {
  auto abi = make<attune_arguments>();
  abi.features = features;
  abi.query = to_abi(a.query);
  abi.key = to_abi(a.key);
  abi.value = to_abi(a.value);
  abi.out = to_abi(a.out);
  abi.lse = to_abi(a.lse);
  abi.weights = to_abi(a.weights);
  abi.mask = to_abi(a.mask);
  abi.block_mask = to_abi(a.block_mask);
  abi.alibi_slopes = to_abi(a.alibi_slopes);
  abi.sinks = to_abi(a.sinks);
  abi.key_lengths = to_abi(a.key_lengths);
  abi.cu_seqlens_q = to_abi(a.cu_seqlens_q);
  abi.cu_seqlens_k = to_abi(a.cu_seqlens_k);
  abi.align_offsets = to_abi(a.align.offsets);
  abi.align_offset = a.align.offset;
  abi.members = a.members;
  abi.heads = a.heads;
  abi.kv_heads = a.kv_heads;
  abi.head_dim = a.head_dim;
  abi.value_dim = a.value_dim;
  abi.window_left = a.window_left;
  abi.window_right = a.window_right;
  abi.block_queries = a.block_queries;
  abi.block_keys = a.block_keys;
  abi.scale = a.scale;
  abi.softcap = a.softcap;
  abi.align = static_cast<std::int32_t>(a.align.kind);
  abi.causal = a.causal ? 1 : 0;
  return abi;
}

inline Arguments from_abi(const attune_arguments& abi) noexcept {
  Arguments a;
  a.query = from_abi(abi.query);
  a.key = from_abi(abi.key);
  a.value = from_abi(abi.value);
  a.out = from_abi(abi.out);
  a.lse = from_abi(abi.lse);
  a.weights = from_abi(abi.weights);
  a.mask = from_abi(abi.mask);
  a.block_mask = from_abi(abi.block_mask);
  a.alibi_slopes = from_abi(abi.alibi_slopes);
  a.sinks = from_abi(abi.sinks);
  a.key_lengths = from_abi(abi.key_lengths);
  a.cu_seqlens_q = from_abi(abi.cu_seqlens_q);
  a.cu_seqlens_k = from_abi(abi.cu_seqlens_k);
  a.align = {static_cast<Align::Kind>(abi.align), abi.align_offset, from_abi(abi.align_offsets)};
  a.members = abi.members;
  a.heads = abi.heads;
  a.kv_heads = abi.kv_heads;
  a.head_dim = abi.head_dim;
  a.value_dim = abi.value_dim;
  a.window_left = abi.window_left;
  a.window_right = abi.window_right;
  a.block_queries = abi.block_queries;
  a.block_keys = abi.block_keys;
  a.scale = abi.scale;
  a.softcap = abi.softcap;
  a.causal = abi.causal != 0;
  return a;
}

}  // namespace
}  // namespace attune::plugin
