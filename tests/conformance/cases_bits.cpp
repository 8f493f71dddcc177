// Part 3 of the suite, the exact laws: what must not change one bit of the result. Each names the trait it tests.
//
// How to add a case: run the same workload in two ways and call expect_same_bits; push it in add_…() with its trait.
#include <limits>
#include <numeric>
#include <string>

#include "tests/conformance/law_specs.hpp"
#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

void any_threads(Session& session, const Spec& spec) {
  const Workload w = session.draw(session.with_lse(spec));
  InlineExecutor one;
  const Result expected = session.run(w, {}, one);
  for (const int threads : {1, 2, 3, 7}) {
    test::ThreadExecutor executor(threads);
    expect_same_bits(expected, session.run(w, {}, executor), std::to_string(threads) + " threads against one");
  }
  if (session.executors() == Executors::threads) return;
  test::OrderExecutor reversed(3, test::Order::reversed), shuffled(4, test::Order::shuffled, session.random().bits()),
      many(61, test::Order::shuffled, session.random().bits()), interleaved(2, test::Order::ascending);
  expect_same_bits(expected, session.run(w, {}, reversed), "items in reversed order");
  expect_same_bits(expected, session.run(w, {}, shuffled), "items in shuffled order");
  expect_same_bits(expected, session.run(w, {}, many), "61 workers in shuffled order");
  expect_same_bits(expected, session.run(w, {}, interleaved), "two workers in turn");
}

/// One member's part of a result.
Result member_of(const Workload& w, const Result& result, std::int64_t b) {
  const Spec& spec = w.spec;
  if (!spec.packed()) {
    Result part{slice(result.out, 0, b, b + 1), {}, {}};
    if (!result.lse.empty()) part.lse = slice(result.lse, 0, b, b + 1);
    if (!result.weights.empty()) part.weights = slice(result.weights, 0, b, b + 1);
    return part;
  }
  const auto member = static_cast<std::size_t>(b);
  const std::int64_t begin = spec.query_starts[member], end = spec.query_starts[member + 1];
  Result part{slice(result.out, 0, begin, end), {}, {}};
  if (!result.lse.empty()) part.lse = slice(result.lse, 1, begin, end);
  return part;
}

void any_batch(Session& session, const Spec& spec) {
  const Workload w = session.draw(session.with_lse(spec));
  const Result together = session.run(w);
  for (std::int64_t b = 0; b < spec.members(); ++b)
    expect_same_bits(session.run(only_member(w, b)), member_of(w, together, b),
                     "member " + std::to_string(b) + " in company");
}

/// A member whose key length is below Sk, against the same keys without padding.
void any_padding(Session& session, std::int64_t queries) {
  Spec spec = law_spec(queries, 140);
  spec.key_lengths = {97};
  Workload padded = session.draw(session.with_lse(spec));
  Workload exact = padded;
  exact.spec.key_lengths.clear();
  exact.spec.keys = 97;
  exact.key = slice(padded.key, 2, 0, 97);
  exact.value = slice(padded.value, 2, 0, 97);
  expect_same_bits(session.run(exact), session.run(padded), "padding behind the key length");
}

/// Packed sequences against each member as an ordinary tensor.
void packed_or_not(Session& session) {
  Spec spec = law_spec(0, 0);
  spec.set_packed({40, 3, 17}, {50, 90, 17});
  const Workload w = session.draw(session.with_lse(spec));
  const Result together = session.run(w);
  for (std::int64_t b = 0; b < spec.members(); ++b) {
    Workload one = only_member(w, b);
    const auto unpack = [](const Array& packed) {  // [S, H, D] to [1, H, S, D]
      Array array(packed.dtype, {1, packed.extent(1), packed.extent(0), packed.extent(2)});
      const std::int64_t row = packed.extent(2), head = array.extent(2) * row;
      for_each_element(packed.shape, 3, {row, head, 1},
                       [&](std::int64_t from, std::int64_t to) { array[to] = packed[from]; });
      return array;
    };
    one.query = unpack(one.query), one.key = unpack(one.key), one.value = unpack(one.value);
    one.spec.query_starts.clear(), one.spec.key_starts.clear();
    const Result alone = session.run(one);
    Result part = member_of(w, together, b);
    part.out = unpack(part.out);
    expect_same_bits(alone, part, "member " + std::to_string(b) + " packed");
  }
}

void any_strides(Session& session, const Spec& spec) {
  const Workload w = session.draw(session.with_lse(spec));
  const Result expected = session.run(w);
  for (const Layout layout : {Layout::heads_inside, Layout::padded, Layout::spread, Layout::reversed}) {
    expect_same_bits(expected, session.run(w, Placement::all(layout)), std::string("layout ") + name(layout));
    for (Layout Placement::* tensor : {&Placement::query, &Placement::key, &Placement::value, &Placement::out}) {
      Placement placement;
      placement.*tensor = layout;
      expect_same_bits(expected, session.run(w, placement), std::string("one tensor in layout ") + name(layout));
    }
  }
}

void zero_strides(Session& session, Layout layout) {
  Spec spec = law_spec(19, 70);
  spec.batch = 2;
  Workload w = session.draw(session.with_lse(spec));
  const int axis = layout == Layout::one_batch ? 0 : 1;
  w.key.repeat_along(axis), w.value.repeat_along(axis);
  Placement placement;
  placement.key = placement.value = layout;
  expect_same_bits(session.run(w), session.run(w, placement), std::string("layout ") + name(layout));
}

void again(Session& session, const Spec& spec) {
  const Workload w = session.draw(session.with_lse(spec));
  const Result first = session.run(w);
  for (int i = 0; i < 3; ++i) expect_same_bits(first, session.run(w), "another run of the same call");
}

/// What no query of a member attends may hold anything.
void masked_is_harmless(Session& session, const Spec& spec, double number) {
  Workload w = session.draw(session.with_lse(spec));
  const Result expected = session.run(w);
  const std::int64_t last_seen = spec.queries - 1;  // top_left, causal: nobody attends what lies behind
  for (std::int64_t b = 0; b < spec.batch; ++b) {
    for (std::int64_t h = 0; h < spec.kv_heads; ++h) {
      for (std::int64_t j = last_seen + 1; j < spec.keys; ++j) {
        for (std::int64_t d = 0; d < spec.head_dim; ++d) w.key[w.key_at(b, h, j) + d] = number;
        for (std::int64_t d = 0; d < spec.value_dim; ++d) w.value[w.value_at(b, h, j) + d] = number;
      }
    }
  }
  expect_same_bits(expected, session.run(w), std::to_string(number) + " behind the diagonal");
}

/// The same, chosen key by key with a bool mask.
void masked_keys_are_harmless(Session& session, double number) {
  Spec spec = law_spec(19, 70);
  spec.mask = MaskKind::boolean;
  spec.mask_shape = {70};
  spec.mask_density = 0.5;
  Workload w = session.draw(session.with_lse(spec));
  const Result expected = session.run(w);
  for (std::int64_t h = 0; h < spec.kv_heads; ++h) {
    for (std::int64_t j = 0; j < spec.keys; ++j) {
      if (w.mask[j] != 0) continue;
      w.key[w.key_at(0, h, j) + j % spec.head_dim] = number;
      w.value[w.value_at(0, h, j) + j % spec.value_dim] = number;
    }
  }
  expect_same_bits(expected, session.run(w), std::to_string(number) + " at masked keys");
}

/// Rows that do not attend a poisoned key are as if it were not there, in the block that the diagonal cuts too.
void diagonal_is_a_wall(Session& session, double number) {
  for (const std::int64_t poisoned : {0, 1, 7, 31, 40, 63, 64, 69}) {
    Spec spec = law_spec(70, 70);
    spec.causal = true;
    Workload w = session.draw(session.with_lse(spec));
    const Result clean = session.run(w);
    for (std::int64_t h = 0; h < spec.kv_heads; ++h) {
      w.key[w.key_at(0, h, poisoned)] = number;
      w.value[w.value_at(0, h, poisoned)] = number;
    }
    const auto before = [&](const Result& result) {
      Result part{slice(result.out, 2, 0, poisoned), {}, {}};
      if (!result.lse.empty()) part.lse = slice(result.lse, 2, 0, poisoned);
      return part;
    };
    expect_same_bits(before(clean), before(session.run(w)), "rows before the poisoned key " + std::to_string(poisoned));
  }
}

void add_for_all_specs(std::vector<Case>& cases, const char* law, Trait trait, void (*run)(Session&, const Spec&)) {
  for (const LawSpec& s : law_specs())
    cases.push_back({std::string("law/") + law + "/" + s.name, Tier::quick,
                     [=](Session& session) { run(session, s.spec); }, trait});
}

void add_masked(std::vector<Case>& cases, const char* what, double number) {
  const auto add = [&](const std::string& name, std::function<void(Session&)> run) {
    cases.push_back(
        {"law/masked/" + std::string(what) + "/" + name, Tier::quick, std::move(run), Trait::masked_is_harmless});
  };
  for (const auto& [queries, keys] : {std::pair<std::int64_t, std::int64_t>{1, 40}, {19, 70}, {40, 130}}) {
    Spec spec = law_spec(queries, keys);
    spec.causal = true;
    spec.align = Align::Kind::top_left;
    add("q" + std::to_string(queries) + "_k" + std::to_string(keys),
        [=](Session& s) { masked_is_harmless(s, spec, number); });
  }
  add("bool_mask", [=](Session& s) { masked_keys_are_harmless(s, number); });
  add("diagonal", [=](Session& s) { diagonal_is_a_wall(s, number); });
}

}  // namespace

std::vector<Case> bit_cases() {
  std::vector<Case> cases;
  add_for_all_specs(cases, "threads", Trait::same_bits_any_threads, any_threads);
  add_for_all_specs(cases, "again", Trait::same_bits_again, again);
  add_for_all_specs(cases, "strides", Trait::same_bits_any_strides, any_strides);
  for (const Layout layout : {Layout::one_batch, Layout::one_head})
    cases.push_back({std::string("law/strides/") + name(layout), Tier::quick,
                     [=](Session& s) { zero_strides(s, layout); }, Trait::same_bits_any_strides});
  for (const LawSpec& s : batch_specs())
    cases.push_back({"law/batch/" + s.name, Tier::quick, [=](Session& session) { any_batch(session, s.spec); },
                     Trait::same_bits_any_batch});
  for (const std::int64_t queries : {1, 19, 70})
    cases.push_back({"law/padding/q" + std::to_string(queries), Tier::quick,
                     [=](Session& s) { any_padding(s, queries); }, Trait::same_bits_any_batch});
  cases.push_back({"law/batch/packed_or_not", Tier::quick, packed_or_not, Trait::same_bits_any_batch});
  add_masked(cases, "nan", std::numeric_limits<double>::quiet_NaN());
  add_masked(cases, "inf", std::numeric_limits<double>::infinity());
  return cases;
}

}  // namespace attune::conformance
