// Part 1 of the suite: shapes, head dims, heads, element types and layouts against the oracle.
//
// How to add a case: write a Spec (workload.hpp: everything has a default; sizes, dtypes and options are plain
// fields), give it a name "grid/what/parameters", and push it in one of the functions below:
//   Spec spec; spec.set_sizes(129, 64); spec.causal = true;
//   cases.push_back({"grid/mine/q129_k64", Tier::quick, [=](Session& s) { s.expect_agrees(spec); }});
// expect_agrees draws the numbers, runs the subject between guards and compares every row with the oracle.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/conformance/law_specs.hpp"
#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

// One less, exact and one more than every tile that kernels use, and primes.
constexpr std::int64_t edges[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,   11,  13,  15,  16,  17,  23,  31,  32,  33,
                                  47, 63, 64, 65, 67, 95, 96, 97, 113, 127, 128, 129, 191, 192, 193, 255, 256, 257};

/// All key lengths against one number of queries; causal, alignment and heads change along the way, so that every
/// kind of block (skipped, whole, cut by the diagonal) occurs at every edge.
void check_edges(Session& session, std::int64_t queries) {
  const std::int64_t step = session.tier() == Tier::full ? 1 : 5;
  std::int64_t turn = queries;
  for (std::int64_t k = queries % step; k < static_cast<std::int64_t>(std::size(edges)); k += step, ++turn) {
    for (const bool causal : {false, true}) {
      Spec spec;
      spec.set_sizes(queries, edges[k]);
      spec.set_heads(1, 1);
      spec.set_dims(turn % 3 == 0 ? 24 : 16);
      spec.causal = causal;
      if (turn % 2 == 0) spec.align = Align::Kind::top_left;
      session.expect_agrees(spec);
    }
  }
}

void add_edges(std::vector<Case>& cases) {
  for (const std::int64_t queries : edges)
    cases.push_back({"grid/edges/q" + std::to_string(queries), Tier::quick,
                     [=](Session& session) { check_edges(session, queries); }});
}

void check_head_dim(Session& session, std::int64_t head_dim, std::int64_t value_dim) {
  constexpr std::pair<std::int64_t, std::int64_t> sizes[] = {{1, 67}, {5, 33}, {34, 70}};
  for (const auto& [queries, keys] : sizes) {
    Spec spec;
    spec.set_sizes(queries, keys);
    spec.head_dim = head_dim;
    spec.value_dim = value_dim;
    spec.causal = queries == 34;
    session.expect_agrees(spec);
  }
}

void add_head_dims(std::vector<Case>& cases) {
  const auto add = [&](Tier tier, std::int64_t d, std::int64_t dv) {
    const std::string what = d == dv ? "d" + std::to_string(d) : "d" + std::to_string(d) + "_dv" + std::to_string(dv);
    cases.push_back({"grid/head_dim/" + what, tier, [=](Session& s) { check_head_dim(s, d, dv); }});
  };
  for (const std::int64_t d : {1, 3, 7, 8, 15, 16, 17, 31, 32, 40, 59, 64, 72, 80, 96, 111, 128, 192, 203, 256})
    add(Tier::quick, d, d);
  for (const std::int64_t d :
       {2, 4, 5, 6, 9, 12, 24, 33, 36, 48, 65, 79, 97, 127, 129, 160, 224, 255, 264, 320, 512, 576})
    add(Tier::full, d, d);
  for (const auto& [d, dv] : {std::pair{64, 128}, {128, 64}, {192, 128}, {40, 8}, {8, 41}, {1, 16}, {17, 1}})
    add(Tier::quick, d, dv);
  for (const auto& [d, dv] : {std::pair{576, 512}, {320, 256}, {64, 256}, {13, 77}, {31, 64}, {80, 96}, {257, 1}})
    add(Tier::full, d, dv);
}

/// Groups of every size that a tile may or may not hold, in decode and in prefill.
void check_heads(Session& session, std::int64_t heads, std::int64_t kv_heads) {
  constexpr std::pair<std::int64_t, std::int64_t> sizes[] = {{1, 133}, {3, 65}, {17, 40}};
  for (const auto& [queries, keys] : sizes) {
    for (const bool causal : {false, true}) {
      Spec spec;
      spec.batch = 2;
      spec.set_heads(heads, kv_heads);
      spec.set_sizes(queries, keys);
      spec.set_dims(24);
      spec.causal = causal;
      session.expect_agrees(spec);
    }
  }
}

void add_heads(std::vector<Case>& cases) {
  const auto add = [&](Tier tier, std::int64_t heads, std::int64_t kv_heads) {
    cases.push_back({"grid/heads/" + std::to_string(heads) + "over" + std::to_string(kv_heads), tier,
                     [=](Session& s) { check_heads(s, heads, kv_heads); }});
  };
  for (const auto& [h, kv] : {std::pair{1, 1}, {3, 3}, {2, 1}, {4, 2}, {6, 2}, {5, 1}, {7, 1}, {8, 1}, {12, 3}})
    add(Tier::quick, h, kv);
  for (const auto& [h, kv] : {std::pair{16, 4}, {9, 3}, {16, 1}, {20, 1}, {32, 1}, {27, 1}, {64, 4}, {65, 5}})
    add(Tier::full, h, kv);
}

/// Few queries against many keys: where backends split the keys.
void check_decode(Session& session, std::int64_t keys) {
  for (const std::int64_t queries : {1, 2, 5, 8}) {
    Spec spec;
    spec.set_heads(4, queries == 2 ? 1 : 2);
    spec.set_sizes(queries, keys);
    spec.set_dims(32);
    spec.causal = queries > 1;
    session.expect_agrees(spec);
  }
}

void add_decode(std::vector<Case>& cases) {
  for (const std::int64_t keys : {63, 128, 257, 513, 767, 1025, 2049})
    cases.push_back({"grid/decode/k" + std::to_string(keys), Tier::quick, [=](Session& s) { check_decode(s, keys); }});
  cases.push_back(
      {"grid/decode/packed", Tier::quick, [](Session& session) { session.expect_agrees(packed_decode()); }});
  for (const std::int64_t keys : {127, 255, 383, 511, 768, 1023, 1024, 2048, 4095, 4097, 8193, 20000})
    cases.push_back({"grid/decode/k" + std::to_string(keys), Tier::full, [=](Session& s) { check_decode(s, keys); }});
}

/// Rows between decode and prefill, which kernels take by fours, sixes or eights and fill up: groups · queries of them
/// against two chunks of keys, under every option that changes scores row by row.
void check_few_rows(Session& session, DType dtype, void (*change)(Spec&)) {
  for (const auto& [group, queries] : {std::pair{7, 1}, {4, 2}, {5, 2}, {4, 3}, {8, 2}, {4, 5}, {4, 7}}) {
    Spec spec;
    spec.set_heads(2 * group, 2);
    spec.set_sizes(queries, queries % 2 == 0 ? 789 : 151);
    spec.set_dims(queries == 3 ? 64 : 40);
    spec.set_dtype(dtype);
    change(spec);
    session.expect_agrees(spec);
  }
}

void add_few_rows(std::vector<Case>& cases) {
  const auto add = [&](const char* what, void (*change)(Spec&)) {
    for (const auto& [name, dtype] : {std::pair{"f32", DType::f32}, {"f16", DType::f16}, {"bf16", DType::bf16}}) {
      const DType of = dtype;  // clang 14 cannot capture a structured binding
      cases.push_back({std::string("grid/few_rows/") + name + "/" + what, Tier::quick,
                       [=](Session& session) { check_few_rows(session, of, change); }});
    }
  };
  add("plain", [](Spec&) {});
  add("causal", [](Spec& s) { s.causal = true; });
  add("window", [](Spec& s) { s.causal = s.sinks = true, s.window_left = 60; });
  add("softcap", [](Spec& s) { s.softcap = 5; });
  add("boolean_mask", [](Spec& s) { s.mask = MaskKind::boolean; });
  add("bias", [](Spec& s) { s.mask = MaskKind::f32; });
  add("alibi", [](Spec& s) { s.alibi = Alibi::per_head, s.causal = true; });
  add("block_mask", [](Spec& s) { s.set_blocks(2, 24), s.causal = true; });
}

struct Types {
  const char* name;
  DType query, key, value, out;
};

void add_dtypes(std::vector<Case>& cases) {
  using enum DType;
  constexpr Types types[] = {{"f64", f64, f64, f64, f64},
                             {"f16", f16, f16, f16, f16},
                             {"bf16", bf16, bf16, bf16, bf16},
                             {"f32_kv_f16", f32, f16, f16, f32},
                             {"f32_kv_bf16", f32, bf16, bf16, f32},
                             {"f16_out_f32", f16, f16, f16, f32},
                             {"bf16_out_f32", bf16, bf16, bf16, f32},
                             {"f32_k_f16_v_bf16", f32, f16, bf16, f32}};
  struct Sizes {
    std::int64_t queries, keys;
    bool causal;
  };
  const auto add = [&](const char* grid, const Types& t, std::vector<Sizes> sizes) {
    cases.push_back({"grid/" + std::string(grid) + "/" + t.name, Tier::quick, [=](Session& session) {
                       for (const Sizes& of : sizes) {
                         for (const std::int64_t dim : {40, 64}) {
                           Spec spec;
                           spec.query = t.query, spec.key = t.key, spec.value = t.value, spec.out = t.out;
                           spec.set_sizes(of.queries, of.keys);
                           spec.set_dims(dim);
                           spec.causal = of.causal;
                           session.expect_agrees(spec);
                         }
                       }
                     }});
  };
  for (const Types& t : types) {
    add("dtype", t, {{1, 131, false}, {5, 33, false}, {66, 97, true}});
    // Several tiles of queries on their way through several blocks of keys.
    add("dtype_blocks", t, {{70, 530, false}, {420, 420, true}});
  }
}

Workload with_content_for(Session& session, const Spec& spec, Layout layout) {
  Workload workload = session.draw(session.with_lse(spec));
  if (layout == Layout::one_batch) workload.key.repeat_along(0), workload.value.repeat_along(0);
  if (layout == Layout::one_head) workload.key.repeat_along(1), workload.value.repeat_along(1);
  return workload;
}

void check_layout(Session& session, Layout layout) {
  Placement placement = Placement::all(layout);
  if (layout == Layout::one_batch || layout == Layout::one_head) {
    placement = {};
    placement.key = placement.value = layout;
  }
  for (const auto& [queries, keys] : {std::pair<std::int64_t, std::int64_t>{1, 70}, {19, 37}, {67, 66}}) {
    Spec spec;
    spec.batch = 2;
    spec.set_heads(4, 2);
    spec.set_sizes(queries, keys);
    spec.set_dims(24);
    spec.causal = true;
    session.expect_agrees(with_content_for(session, spec, layout), placement);
  }
}

void add_layouts(std::vector<Case>& cases) {
  for (const Layout layout :
       {Layout::heads_inside, Layout::padded, Layout::spread, Layout::reversed, Layout::one_batch, Layout::one_head})
    cases.push_back({std::string("grid/layout/") + name(layout), Tier::quick,
                     [=](Session& session) { check_layout(session, layout); }});
  cases.push_back({"grid/layout/packed_qkv", Tier::quick, [](Session& session) {
                     Spec spec;
                     spec.batch = 2;
                     spec.set_heads(3, 3);
                     spec.set_sizes(35, 35);
                     spec.set_dims(40);
                     Placement placement;
                     placement.one_buffer = true;
                     session.expect_agrees(spec, placement);
                   }});
}

}  // namespace

std::vector<Case> grid_cases() {
  std::vector<Case> cases;
  add_edges(cases);
  add_head_dims(cases);
  add_heads(cases);
  add_decode(cases);
  add_few_rows(cases);
  add_dtypes(cases);
  add_layouts(cases);
  return cases;
}

}  // namespace attune::conformance
