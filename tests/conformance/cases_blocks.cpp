// Parts 1 and 3 for block_mask: block sizes around every tile edge, patterns of the field, maps that lie anyhow in
// memory, and what must hold whatever the map says.
//
// How to add a case: a block size goes into add_sizes(), a pattern into add_patterns(); a law is a function
// (Session&, …) under one sentence that states it, pushed in add_laws().
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <string>

#include "tests/conformance/law_specs.hpp"
#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

Spec with_blocks(std::int64_t queries, std::int64_t keys, std::int64_t block_queries, std::int64_t block_keys) {
  Spec spec = law_spec(queries, keys);
  spec.set_blocks(block_queries, block_keys);
  return spec;
}

// ---- Sizes

/// A map for every combination of broadcasting, in decode, with ragged edges, over several tiles, and packed.
void check_sizes(Session& session, std::int64_t block_queries, std::int64_t block_keys) {
  int turn = 0;
  for (const auto& [queries, keys] : {std::pair<std::int64_t, std::int64_t>{1, 300}, {19, 37}, {70, 129}, {130, 200}}) {
    Spec spec = with_blocks(queries, keys, block_queries, block_keys);
    spec.batch = 2;
    spec.blocks_per_member = turn % 2 == 0;
    spec.blocks_per_head = turn++ < 2;
    session.expect_agrees(spec);
    spec.causal = true;
    session.expect_agrees(spec);
  }
  Spec packed = with_blocks(0, 0, block_queries, block_keys);
  packed.set_packed({40, 0, 70, 17}, {150, 8, 33, 17});
  session.expect_agrees(packed);
}

void add_sizes(std::vector<Case>& cases) {
  const auto add = [&](Tier tier, std::int64_t queries, std::int64_t keys) {
    cases.push_back({"blocks/size/" + std::to_string(queries) + "x" + std::to_string(keys), tier,
                     [=](Session& session) { check_sizes(session, queries, keys); }});
  };
  for (const auto& [q, k] :
       {std::pair{1, 1}, {3, 3}, {16, 16}, {64, 64}, {100, 100}, {1000, 1000}, {1, 64}, {64, 1}, {16, 100}})
    add(Tier::quick, q, k);
  for (const auto& [q, k] : {std::pair{8, 8},
                             {15, 17},
                             {32, 32},
                             {128, 128},
                             {3, 100},
                             {100, 3},
                             {1000, 1},
                             {1, 1000},
                             {16, 256},
                             {256, 16},
                             {31, 63}})
    add(Tier::full, q, k);
  cases.push_back({"blocks/size/huge", Tier::quick, [](Session& session) {
                     constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max() / 2;
                     for (const double density : {0.0, 1.0}) {
                       Spec spec = with_blocks(19, 70, huge, huge);
                       spec.block_density = density;
                       session.expect_agrees(spec);
                     }
                   }});
}

// ---- Patterns

/// May block row r attend block column c of n × n blocks?
using Pattern = bool (*)(std::int64_t r, std::int64_t c, std::int64_t n);

void check_pattern(Session& session, Pattern pattern, std::int64_t block) {
  for (const std::int64_t length : {block * 7, block * 7 - block / 2 - 1}) {
    Workload w = session.draw(session.with_lse(with_blocks(length, length, block, block)));
    const std::int64_t n = w.block_mask.extent(3);
    for (std::int64_t at = 0; at < w.block_mask.size(); ++at) w.block_mask[at] = pattern(at / n % n, at % n, n) ? 1 : 0;
    session.expect_agrees(w);
    w.spec.causal = true;
    session.expect_agrees(w);
  }
}

void add_patterns(std::vector<Case>& cases) {
  struct Named {
    const char* name;
    Pattern pattern;
  };
  const Named patterns[] = {
      {"longformer", [](auto r, auto c, auto) { return std::abs(r - c) <= 1 || r == 0 || c == 0; }},
      {"bigbird",
       [](auto r, auto c, auto n) {
         return std::abs(r - c) <= 1 || r == 0 || c == 0 || r == n - 1 || c == n - 1 || (r * 5 + c * 3) % 7 == 0;
       }},
      {"dilated", [](auto r, auto c, auto) { return (r - c) % 2 == 0; }},
      {"strided", [](auto, auto c, auto) { return c % 3 == 2; }},
      {"only_last", [](auto, auto c, auto n) { return c == n - 1; }},
      {"only_first", [](auto, auto c, auto) { return c == 0; }},
      {"empty_rows", [](auto r, auto, auto) { return r % 3 != 1; }},
      {"none", [](auto, auto, auto) { return false; }},
  };
  for (const Named& p : patterns)
    for (const std::int64_t block : {5, 16, 32})
      cases.push_back({std::string("blocks/pattern/") + p.name + "_" + std::to_string(block), Tier::quick,
                       [=](Session& session) { check_pattern(session, p.pattern, block); }});
}

// ---- Memory

/// A map in any layout, its bytes between guards, any of them but 0 meaning true.
void any_layout(Session& session, Layout layout) {
  for (const test::Edge edge : {test::Edge::begin, test::Edge::end}) {
    for (const auto& [queries, keys] : {std::pair<std::int64_t, std::int64_t>{1, 300}, {19, 37}, {70, 129}}) {
      Spec spec = with_blocks(queries, keys, 16, 24);
      spec.batch = 2;
      Workload w = session.draw(session.with_lse(spec));
      for (double& byte : w.block_mask.values) byte *= static_cast<double>(session.random().integer(1, 255));
      Placement placement;
      placement.others = layout;
      placement.edge = edge;
      session.expect_agrees(w, placement);
    }
  }
}

// ---- Laws

/// A map that takes nothing away is no map, bit for bit.
void all_true(Session& session, Spec spec) {
  spec.block_density = 1;
  const Workload mapped = session.draw(session.with_lse(spec));
  Workload plain = mapped;
  plain.spec.set_blocks(0, 0);
  plain.block_mask = {};
  expect_same_bits(session.run(plain), session.run(mapped), "a map of blocks that are all true");
}

/// A map is the bool mask that it stands for.
void stands_for_a_mask(Session& session, Spec spec) {
  const Workload mapped = session.draw(session.with_lse(spec));
  Workload masked = mapped;
  masked.spec.set_blocks(0, 0);
  masked.block_mask = {};
  masked.spec.mask = MaskKind::boolean;
  masked.mask = Array(DType::boolean, {spec.batch, spec.heads, spec.queries, spec.keys});
  for (std::int64_t at = 0; at < masked.mask.size(); ++at) {
    const std::int64_t j = at % spec.keys, i = at / spec.keys % spec.queries;
    const std::int64_t head = at / spec.keys / spec.queries % spec.heads;
    const std::int64_t member = at / spec.keys / spec.queries / spec.heads;
    masked.mask[at] = mapped.block_mask[mapped.block_at(member, head, i, j)];
  }
  session.expect_equal_but_rounding(mapped, session.run(masked), session.run(mapped));
}

/// Permuting blocks of keys, of values and of the map together permutes nothing but rounding.
void permuted_blocks(Session& session, std::int64_t block_keys) {
  const std::int64_t blocks = 6;
  const Workload w = session.draw(session.with_lse(with_blocks(40, blocks * block_keys, 16, block_keys)));
  const std::vector<std::int64_t> order = {4, 2, 5, 0, 3, 1};
  std::vector<std::int64_t> keys;
  for (const std::int64_t block : order)
    for (std::int64_t j = 0; j < block_keys; ++j) keys.push_back(block * block_keys + j);
  Workload permuted = w;
  permuted.key = gather(w.key, 2, keys);
  permuted.value = gather(w.value, 2, keys);
  permuted.block_mask = gather(w.block_mask, 3, order);
  session.expect_equal_but_rounding(w, session.run(w), session.run(permuted));
}

/// What no query may attend may hold anything.
void masked_blocks_are_harmless(Session& session, const Spec& spec, double number) {
  Workload w = session.draw(session.with_lse(spec));
  const std::int64_t key_blocks = w.block_mask.extent(3);
  for (std::int64_t at = 0; at < w.block_mask.size(); ++at)
    if (at % key_blocks % 3 == 1) w.block_mask[at] = 0;
  const Result expected = session.run(w);
  for (std::int64_t h = 0; h < spec.kv_heads; ++h) {
    for (std::int64_t j = 0; j < spec.keys; ++j) {
      if (j / spec.block_keys % 3 != 1) continue;
      w.key[w.key_at(0, h, j) + j % spec.head_dim] = number;
      w.value[w.value_at(0, h, j) + j % spec.value_dim] = number;
    }
  }
  expect_same_bits(expected, session.run(w), std::to_string(number) + " in blocks that are masked");
}

/// Rows whose block may not attend a poisoned key are as if it were not there, beside rows that attend it.
void blocks_are_walls(Session& session, double number) {
  for (const std::int64_t block : {1, 5, 16}) {
    Workload w = session.draw(session.with_lse(with_blocks(40, 70, block, 7)));
    w.spec.block_density = 1;
    w.block_mask.fill([] { return 1.0; });
    const std::int64_t poisoned = 30;
    for (std::int64_t h = 0; h < w.spec.heads; ++h)
      for (std::int64_t i = 0; i < block; ++i) w.block_mask[w.block_at(0, h, i, poisoned)] = 0;
    const Result clean = session.run(w);
    for (std::int64_t h = 0; h < w.spec.kv_heads; ++h) {
      w.key[w.key_at(0, h, poisoned)] = number;
      w.value[w.value_at(0, h, poisoned)] = number;
    }
    const auto behind_the_wall = [&](const Result& result) {
      Result part{slice(result.out, 2, 0, block), {}, {}};
      if (!result.lse.empty()) part.lse = slice(result.lse, 2, 0, block);
      return part;
    };
    expect_same_bits(behind_the_wall(clean), behind_the_wall(session.run(w)), "rows whose block is masked");
  }
}

/// Chunks of keys that no row attends, before and behind those that are, under a map that would take all.
void chunks_without_attended_keys(Session& session) {
  for (const std::int64_t keys : {1000, 6000}) {
    Spec spec = with_blocks(1, keys, 1, 64);
    spec.block_density = 1;
    spec.causal = true;
    spec.window_left = 100;
    session.expect_agrees(spec);
    spec.window_left = -1;
    spec.align = Align::Kind::offset;
    spec.offset = 50;
    session.expect_agrees(spec);
  }
}

void add_laws(std::vector<Case>& cases) {
  const auto add = [&](const std::string& name, std::function<void(Session&)> run, TraitSet needs = {}) {
    cases.push_back({"blocks/law/" + name, Tier::quick, std::move(run), needs});
  };
  for (const auto& [q, k] : {std::pair<std::int64_t, std::int64_t>{1, 300}, {19, 70}, {70, 129}, {140, 140}}) {
    for (const std::int64_t block : {1, 16, 100}) {
      const std::string what = "q" + std::to_string(q) + "_k" + std::to_string(k) + "_b" + std::to_string(block);
      const Spec spec = with_blocks(q, k, block, block + 1);
      add("all_true/" + what, [=](Session& s) { all_true(s, spec); });
      add("mask/" + what, [=](Session& s) { stands_for_a_mask(s, spec); });
    }
  }
  add("chunks_without_attended_keys", chunks_without_attended_keys);
  for (const std::int64_t block : {1, 7, 16, 64})
    add("permutation/b" + std::to_string(block), [=](Session& s) { permuted_blocks(s, block); });
  for (const auto& [what, number] :
       {std::pair{"nan", std::numeric_limits<double>::quiet_NaN()}, {"inf", std::numeric_limits<double>::infinity()}}) {
    for (const std::int64_t queries : {1, 19, 70})
      add(
          std::string("harmless_") + what + "/q" + std::to_string(queries),
          [=, number = number](Session& s) { masked_blocks_are_harmless(s, with_blocks(queries, 90, 8, 10), number); },
          Trait::masked_is_harmless);
    add(
        std::string("walls_") + what, [number = number](Session& s) { blocks_are_walls(s, number); },
        Trait::masked_is_harmless);
  }
}

}  // namespace

std::vector<Case> block_cases() {
  std::vector<Case> cases;
  add_sizes(cases);
  add_patterns(cases);
  for (const Layout layout :
       {Layout::contiguous, Layout::heads_inside, Layout::padded, Layout::spread, Layout::reversed})
    cases.push_back({std::string("blocks/layout/") + name(layout), Tier::quick,
                     [=](Session& session) { any_layout(session, layout); }});
  add_laws(cases);
  return cases;
}

}  // namespace attune::conformance
