#include "tests/conformance/law_specs.hpp"

namespace attune::conformance {
namespace {

template <typename Change>
LawSpec make(const char* name, std::int64_t queries, std::int64_t keys, Change&& change) {
  LawSpec result{name, law_spec(queries, keys)};
  change(result.spec);
  return result;
}

}  // namespace

Spec law_spec(std::int64_t queries, std::int64_t keys) {
  Spec spec;
  spec.set_heads(4, 2);
  spec.set_sizes(queries, keys);
  spec.set_dims(24);
  return spec;
}

Spec packed_decode() {
  Spec spec = law_spec(0, 0);
  spec.set_packed({1, 15, 1, 2, 1, 1, 3, 1, 1}, {1000, 800, 900, 300, 1000, 820, 780, 0, 990});
  return spec;
}

std::vector<LawSpec> law_specs() {
  // Most are large enough (a MFLOP and more) that no backend keeps them on the caller's thread.
  return {
      make("decode", 1, 40, [](Spec&) {}),
      make("long_decode", 1, 6000, [](Spec&) {}),
      make("few_queries", 5, 1500, [](Spec& s) { s.causal = true; }),
      make("few_queries_sinks", 5, 1500, [](Spec& s) { s.window_left = 1100, s.causal = s.sinks = true; }),
      {"packed_decode", packed_decode()},
      make("short", 7, 19, [](Spec&) {}),
      make("prefill", 70, 130, [](Spec&) {}),
      make("prefill_causal", 140, 140, [](Spec& s) { s.causal = true; }),
      make("batch", 33, 65, [](Spec& s) { s.batch = 3; }),
      make("value_dim", 40, 90, [](Spec& s) { s.value_dim = 41; }),
      make("window", 200, 200, [](Spec& s) { s.window_left = 20, s.causal = true; }),
      make("key_lengths", 33, 90, [](Spec& s) { s.batch = 3, s.key_lengths = {90, 0, 41}; }),
      make("packed", 0, 0, [](Spec& s) { s.set_packed({60, 0, 3, 17}, {90, 8, 90, 17}); }),
      make("bias", 33, 90,
           [](Spec& s) { s.mask = MaskKind::f32, s.alibi = Alibi::per_head, s.sinks = true, s.softcap = 5; }),
      make("block_mask", 70, 130, [](Spec& s) { s.set_blocks(16, 24), s.causal = true; }),
      make("block_decode", 1, 3000, [](Spec& s) { s.set_blocks(1, 100), s.blocks_per_head = false; }),
      make("weights", 33, 90, [](Spec& s) { s.weights = true; }),
      make("f16", 33, 90, [](Spec& s) { s.set_dtype(DType::f16); }),
      make("bf16", 33, 90, [](Spec& s) { s.set_dtype(DType::bf16); }),
  };
}

std::vector<LawSpec> batch_specs() {
  return {
      make("decode", 1, 300, [](Spec& s) { s.batch = 5; }),
      make("prefill", 66, 70, [](Spec& s) { s.batch = 3; }),
      make("causal", 70, 66, [](Spec& s) { s.batch = 3, s.causal = true; }),
      make("offsets", 20, 70,
           [](Spec& s) {
             s.batch = 3, s.causal = true;
             s.align = Align::Kind::offsets, s.offsets = {-3, 50, 11};
           }),
      make("key_lengths", 20, 90, [](Spec& s) { s.batch = 4, s.causal = true, s.key_lengths = {90, 0, 41, 64}; }),
      make("packed", 0, 0, [](Spec& s) { s.set_packed({40, 0, 3, 17}, {50, 8, 90, 17}); }),
      make("mask", 20, 70, [](Spec& s) { s.batch = 3, s.mask = MaskKind::boolean; }),
      make("block_mask", 40, 90,
           [](Spec& s) { s.batch = 3, s.set_blocks(7, 16), s.key_lengths = {90, 0, 41}, s.causal = true; }),
      make("packed_block_mask", 0, 0,
           [](Spec& s) { s.set_packed({40, 0, 3, 17}, {50, 8, 90, 17}), s.set_blocks(4, 16); }),
      make("weights", 20, 70, [](Spec& s) { s.batch = 3, s.weights = true; }),
  };
}

}  // namespace attune::conformance
