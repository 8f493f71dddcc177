// Part 2 of the suite: problems drawn from the seed, against the oracle. Each draw is a case of its own, so that a
// skip or a failure has a name; "--seed N --filter random/all/017" repeats one.
//
// How to add a case: a new option gets a line in draw_options(), a new kind of number a line in spoil().
#include <cstdio>
#include <limits>
#include <string>

#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

/// Mostly small, now and then across several tiles.
std::int64_t draw_length(Random& random) {
  return random.chance(0.7) ? random.integer(1, 40) : random.chance(0.9) ? random.integer(41, 200) : 0;
}

/// What every backend should take: sizes, heads, causal and its alignments, at any dims.
Spec draw_core(Random& random) {
  Spec spec;
  spec.batch = random.integer(1, 3);
  const std::int64_t group = random.pick(std::vector<std::int64_t>{1, 1, 2, 3, 4, 7});
  spec.kv_heads = random.integer(1, 3);
  spec.heads = spec.kv_heads * group;
  spec.set_sizes(random.chance(0.3) ? random.integer(1, 4) : draw_length(random), draw_length(random));
  spec.set_dims(random.chance(0.5) ? random.integer(1, 40) : random.pick(std::vector<std::int64_t>{64, 80, 128}));
  if (random.chance(0.3)) spec.value_dim = random.integer(1, 70);
  if (random.chance(0.2)) spec.scale = random.uniform(-1, 1);
  spec.causal = random.chance(0.5);
  switch (random.integer(0, 3)) {
    case 0:
      spec.align = Align::Kind::top_left;
      break;
    case 1:
      spec.align = Align::Kind::offset;
      spec.offset = random.integer(-50, 50);
      break;
    case 2:
      spec.align = Align::Kind::offsets;
      for (std::int64_t b = 0; b < spec.batch; ++b) spec.offsets.push_back(random.integer(-50, 50));
      break;
    default:
      break;
  }
  return spec;
}

std::vector<std::int64_t> draw_mask_shape(const Spec& spec, Random& random) {
  std::vector<std::int64_t> shape = {spec.batch, spec.heads, spec.queries, spec.keys};
  for (std::int64_t& size : shape)
    if (random.chance(0.3)) size = 1;
  shape.erase(shape.begin(), shape.begin() + random.integer(0, 3));
  return shape;
}

void draw_options(Spec& spec, Random& random) {
  if (random.chance(0.3)) spec.window_left = random.integer(0, 60);
  if (random.chance(0.3)) spec.window_right = random.integer(0, 30);
  if (random.chance(0.3)) spec.softcap = random.uniform(0.5, 50);
  if (random.chance(0.4)) {
    spec.mask = random.pick(std::vector<MaskKind>{MaskKind::boolean, MaskKind::f32, MaskKind::f16, MaskKind::bf16});
    spec.mask_shape = draw_mask_shape(spec, random);
    spec.mask_density = random.uniform();
  }
  if (random.chance(0.3)) spec.alibi = random.chance(0.5) ? Alibi::per_head : Alibi::per_batch;
  spec.sinks = random.chance(0.3);
  if (random.chance(0.3)) {
    const std::vector<std::int64_t> sizes = {1, 3, 16, 64, 100, 1000};
    spec.set_blocks(random.pick(sizes), random.pick(sizes));
    spec.blocks_per_member = random.chance(0.5), spec.blocks_per_head = random.chance(0.5);
    spec.block_density = random.uniform();
  }
  spec.weights = random.chance(0.2);
  if (random.chance(0.4))
    for (std::int64_t b = 0; b < spec.batch; ++b) spec.key_lengths.push_back(random.integer(0, spec.keys));
  if (random.chance(0.3)) spec.index_dtype = DType::i32;
}

void draw_packing(Spec& spec, Random& random) {
  spec.mask = MaskKind::none;
  spec.mask_shape.clear();
  spec.key_lengths.clear();
  spec.weights = false;
  std::vector<std::int64_t> queries, keys;
  for (std::int64_t b = 0; b < spec.batch; ++b) {
    queries.push_back(random.integer(0, 40));
    keys.push_back(random.integer(0, 80));
  }
  spec.set_packed(queries, keys);
}

void draw_dtypes(Spec& spec, Random& random) {
  const std::vector<DType> types = {DType::f32, DType::f16, DType::bf16};
  spec.query = random.pick(types), spec.key = random.pick(types);
  spec.value = random.pick(types);
  spec.out = random.chance(0.5) ? DType::f32 : spec.query;
}

void sprinkle(Array& array, Random& random, double number) {
  if (array.size() > 0) array[random.integer(0, array.size() - 1)] = number;
}

/// Numbers that ordinary inputs do not hold.
void spoil(Workload& w, Random& random) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double number = random.pick(std::vector<double>{std::numeric_limits<double>::quiet_NaN(), infinity, -infinity});
  sprinkle(random.chance(0.5) ? w.key : w.value, random, number);
  if (random.chance(0.2)) sprinkle(w.query, random, number);
  if (random.chance(0.3))
    for (std::int64_t i = 0; i < w.key.size(); i += 5) w.key[i] = round_to(w.key.dtype, w.key[i] * 1e-39);
}

enum class Kind { core, extreme, all, packed, dtypes };

void check(Session& session, Kind kind) {
  Random& random = session.random();
  Spec spec = draw_core(random);
  if (kind == Kind::all || kind == Kind::packed || kind == Kind::dtypes) draw_options(spec, random);
  if (kind == Kind::packed) draw_packing(spec, random);
  if (kind == Kind::dtypes) draw_dtypes(spec, random);
  if (kind == Kind::extreme) spec.logits = random.pick(std::vector<double>{1, 30, 1e3, 1e5});
  Workload workload = session.draw(session.with_lse(spec));
  if (kind == Kind::extreme) spoil(workload, random);
  session.expect_agrees(workload);
}

void add(std::vector<Case>& cases, const char* kind_name, Kind kind, int quick, int full) {
  for (int i = 0; i < full; ++i) {
    char name[64];
    std::snprintf(name, sizeof name, "random/%s/%03d", kind_name, i);
    cases.push_back({name, i < quick ? Tier::quick : Tier::full, [=](Session& s) { check(s, kind); }});
  }
}

}  // namespace

std::vector<Case> random_cases() {
  std::vector<Case> cases;
  add(cases, "core", Kind::core, 40, 250);
  add(cases, "extreme", Kind::extreme, 40, 250);
  add(cases, "all", Kind::all, 60, 400);
  add(cases, "packed", Kind::packed, 15, 100);
  add(cases, "dtypes", Kind::dtypes, 15, 150);
  return cases;
}

}  // namespace attune::conformance
