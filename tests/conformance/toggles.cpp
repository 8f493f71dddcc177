#include "tests/conformance/toggles.hpp"

#include <algorithm>
#include <string_view>

namespace attune::conformance {
namespace {

/// Lengths around the batch: nothing, one key, most, all.
std::vector<std::int64_t> some_lengths(const Spec& spec) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t b = 0; b < spec.batch; ++b) lengths.push_back(spec.keys - (b * spec.keys) / 3 % (spec.keys + 1));
  if (spec.batch > 2) lengths.back() = 0;
  return lengths;
}

void pack(Spec& spec) {
  const std::int64_t q = spec.queries, k = spec.keys;
  spec.set_packed({q, 1, 0, q / 2 + 1}, {k, k / 3, 5, k / 2});
}

}  // namespace

const std::vector<Toggle>& toggles() {
  static const std::vector<Toggle> list = {
      {"causal", "causal", [](Spec& s) { s.causal = true; }},
      {"top_left", "align", [](Spec& s) { s.align = Align::Kind::top_left; }},
      {"offset", "align", [](Spec& s) { s.align = Align::Kind::offset, s.offset = s.keys / 2 - 3; }},
      {"offsets", "align",
       [](Spec& s) {
         s.align = Align::Kind::offsets;
         for (std::int64_t b = 0; b < s.members(); ++b) s.offsets.push_back(7 * b - 5);
       }},
      {"window_left", "window", [](Spec& s) { s.window_left = 9; }},
      {"window_right", "window", [](Spec& s) { s.window_right = 4; }},
      {"window", "window", [](Spec& s) { s.window_left = 12, s.window_right = 3; }},
      {"scale", "scale", [](Spec& s) { s.scale = -0.37; }},
      {"softcap", "softcap", [](Spec& s) { s.softcap = 1.5; }},
      {"mask_bool", "mask", [](Spec& s) { s.mask = MaskKind::boolean; }},
      {"mask_bool_row", "mask", [](Spec& s) { s.mask = MaskKind::boolean, s.mask_shape = {s.batch, 1, 1, s.keys}; }},
      {"mask_f32", "mask", [](Spec& s) { s.mask = MaskKind::f32; }},
      {"mask_f32_2d", "mask", [](Spec& s) { s.mask = MaskKind::f32, s.mask_shape = {s.queries, s.keys}; }},
      {"mask_f16", "mask", [](Spec& s) { s.mask = MaskKind::f16, s.mask_shape = {s.heads, s.queries, s.keys}; }},
      {"mask_bf16", "mask", [](Spec& s) { s.mask = MaskKind::bf16, s.mask_shape = {s.keys}; }},
      {"block_mask", "block_mask", [](Spec& s) { s.set_blocks(16, 16); }},
      {"block_mask_odd", "block_mask", [](Spec& s) { s.set_blocks(3, 7), s.blocks_per_head = false; }},
      {"block_mask_wide", "block_mask", [](Spec& s) { s.set_blocks(100, 8), s.blocks_per_member = false; }},
      {"alibi", "alibi", [](Spec& s) { s.alibi = Alibi::per_head; }},
      {"alibi_batch", "alibi", [](Spec& s) { s.alibi = Alibi::per_batch; }},
      {"sinks", "sinks", [](Spec& s) { s.sinks = true; }},
      {"key_lengths", "lengths", [](Spec& s) { s.key_lengths = some_lengths(s); }},
      {"key_lengths_i32", "lengths", [](Spec& s) { s.key_lengths = some_lengths(s), s.index_dtype = DType::i32; }},
      {"cu_seqlens", "packed", pack},
      {"lse", "lse", [](Spec& s) { s.lse = true; }},
      {"weights", "weights", [](Spec& s) { s.weights = true; }},
      {"gqa", "gqa", [](Spec& s) { s.kv_heads = s.heads / 2; }},
      {"value_dim", "value_dim", [](Spec& s) { s.value_dim = 2 * s.head_dim + 1; }},
      {"f16", "dtype", [](Spec& s) { s.set_dtype(DType::f16); }},
      {"bf16", "dtype", [](Spec& s) { s.set_dtype(DType::bf16); }},
  };
  return list;
}

bool compatible(const Toggle& a, const Toggle& b) {
  const std::string_view first = a.group, second = b.group;
  if (first == second) return false;
  // Packed sequences have no batch axis that a mask, lengths or weights could refer to.
  const auto without_packed = {std::string_view("mask"), std::string_view("lengths"), std::string_view("weights")};
  const auto is_one_of = [&](std::string_view group) {
    return std::find(without_packed.begin(), without_packed.end(), group) != without_packed.end();
  };
  return !(first == "packed" && is_one_of(second)) && !(second == "packed" && is_one_of(first));
}

}  // namespace attune::conformance
