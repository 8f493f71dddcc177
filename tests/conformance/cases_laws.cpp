// Part 3 of the suite, laws of attention itself: true whatever the oracle says, up to rounding.
//
// How to add a case: state the law in one sentence above a function (Session&, …), say which options it does not
// hold for, and push it in law_cases().
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include <attune/engine.hpp>

#include <attune/tolerance.hpp>
#include "tests/conformance/law_specs.hpp"
#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

using namespace tolerance;

/// Permuting keys and values together permutes nothing but rounding. Not with causal, windows, ALiBi or masks,
/// which know positions.
void permutation(Session& session, const Spec& spec) {
  const Workload w = session.draw(session.with_lse(spec));
  std::vector<std::int64_t> order(static_cast<std::size_t>(spec.keys));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1],
              order[static_cast<std::size_t>(session.random().integer(0, static_cast<std::int64_t>(i) - 1))]);
  Workload permuted = w;
  permuted.key = gather(w.key, 2, order);
  permuted.value = gather(w.value, 2, order);
  session.expect_equal_but_rounding(w, session.run(w), session.run(permuted));
}

/// V = 1 gives out = 1; with a sink, whose weight has no value, out = 1 − exp(sink − lse). Empty rows give 0.
void ones(Session& session, Spec spec) {
  spec.lse = true;
  Workload w = session.draw(spec);
  w.value.fill([] { return 1.0; });
  const Result result = session.run(w);
  const Reference reference = evaluate(w);
  for (std::int64_t row = 0; row < result.lse.size(); ++row) {
    const RowReference& r = reference.rows[static_cast<std::size_t>(row)];
    const std::int64_t head = row / spec.queries % spec.heads;
    const double sink_weight = spec.sinks ? std::exp(w.sinks[head] - result.lse[row]) : 0;
    const double expected = r.empty ? 0 : 1 - sink_weight;
    const double relative = relative_tolerance(spec.head_dim, r.amplitude);
    // The sink's weight is computed here from the lse that came back, with that one's error.
    const double allowed = r.empty ? 0 : relative + epsilon + sink_weight * lse_tolerance(relative, r.lse);
    for (std::int64_t d = row * spec.value_dim; d < (row + 1) * spec.value_dim; ++d)
      if (!(std::abs(result.out[d] - expected) <= allowed))
        throw Failure("V = 1 gives " + std::to_string(result.out[d]) + " instead of " + std::to_string(expected) +
                      "; " + describe(spec));
  }
}

/// A window as wide as the keys, and one of any size beyond, is no window.
void wide_window(Session& session, bool causal) {
  for (const std::int64_t width : {std::int64_t{200}, std::numeric_limits<std::int64_t>::max()}) {
    Spec spec = law_spec(33, 90);
    spec.causal = causal;
    Workload w = session.draw(session.with_lse(spec));
    const Result expected = session.run(w);
    w.spec.window_left = w.spec.window_right = width;
    session.expect_equal_but_rounding(w, expected, session.run(w));
  }
}

/// Grouped heads are heads whose keys and values are repeated.
void expanded_heads(Session& session, std::int64_t queries, bool causal) {
  Spec spec = law_spec(queries, 90);
  spec.set_heads(6, 2);
  spec.causal = causal;
  const Workload w = session.draw(session.with_lse(spec));
  Workload expanded = w;
  expanded.spec.kv_heads = 6;
  const std::vector<std::int64_t> heads = {0, 0, 0, 1, 1, 1};
  expanded.key = gather(w.key, 1, heads);
  expanded.value = gather(w.value, 1, heads);
  session.expect_equal_but_rounding(w, session.run(expanded), session.run(w));
}

/// Attending two halves of the keys and merging the states is attending them all. A sink goes to one half only;
/// positions go on counting in the second half.
void split_and_merge(Session& session, Spec spec, std::int64_t split) {
  spec.lse = true;
  const Workload whole = session.draw(spec);
  const auto half = [&](std::int64_t begin, std::int64_t end) {
    Workload part = whole;
    part.spec.keys = end - begin;
    part.spec.align = Align::Kind::offset;
    part.spec.offset = whole.offset_of(0) - begin;
    part.key = slice(whole.key, 2, begin, end);
    part.value = slice(whole.value, 2, begin, end);
    if (!whole.block_mask.empty()) part.block_mask = slice(whole.block_mask, 3, begin, end);  // blocks of one key
    if (begin > 0) part.spec.sinks = false, part.sinks = {};
    return part;
  };
  const auto as_floats = [](const Array& array) {
    return std::vector<float>(array.values.begin(), array.values.end());
  };
  const Result a = session.run(half(0, split)), b = session.run(half(split, spec.keys));
  const std::vector<float> out_b = as_floats(b.out), lse_b = as_floats(b.lse);
  std::vector<float> out = as_floats(a.out), lse = as_floats(a.lse);
  const auto state = contiguous({spec.batch, spec.heads, spec.queries, spec.value_dim});
  const auto rows = contiguous({spec.batch, spec.heads, spec.queries});
  attune::merge_states(view(out.data(), state), view(lse.data(), rows), view(out_b.data(), state),
                       view(lse_b.data(), rows), view(out.data(), state), view(lse.data(), rows));
  Result merged = a;
  merged.out.values.assign(out.begin(), out.end());
  merged.lse.values.assign(lse.begin(), lse.end());
  session.expect_equal_but_rounding(whole, session.run(whole), merged);
}

/// A constant added to all logits of a row changes its lse by that constant, and nothing else. Not with a sink,
/// which is not shifted along.
void shifted_logits(Session& session) {
  Spec spec = law_spec(19, 70);
  spec.mask = MaskKind::f32;
  spec.mask_shape = {19, 70};
  Workload w = session.draw(session.with_lse(spec));
  Workload shifted = w;
  for (std::int64_t i = 0; i < 19; ++i) {
    for (std::int64_t j = 0; j < 70; ++j) {
      w.mask[i * 70 + j] = std::round(w.mask[i * 70 + j] * 64) / 64;  // so that the sum is exact in f32
      shifted.mask[i * 70 + j] = w.mask[i * 70 + j] + static_cast<double>(i - 9);
    }
  }
  Result expected = session.run(w);
  for (std::int64_t row = 0; row < expected.lse.size(); ++row) expected.lse[row] += static_cast<double>(row % 19 - 9);
  session.expect_equal_but_rounding(shifted, expected, session.run(shifted));
}

/// The weights of a row sum to 1 (with a sink to 1 − exp(sink − lse)), and weights · V is the output.
void weights_are_the_result(Session& session, Spec spec) {
  spec.weights = true;
  spec.lse = true;
  const Workload w = session.draw(spec);
  const Result result = session.run(w);
  Result product = result;
  const Reference reference = evaluate(w);
  for (std::int64_t row = 0; row < result.lse.size(); ++row) {
    const std::int64_t b = row / (spec.heads * spec.queries), h = row / spec.queries % spec.heads,
                       i = row % spec.queries;
    double sum = 0;
    for (std::int64_t d = 0; d < spec.value_dim; ++d) product.out[w.out_at(b, h, i) + d] = 0;
    for (std::int64_t j = 0; j < spec.keys; ++j) {
      const double weight = result.weights[row * spec.keys + j];
      sum += weight;
      for (std::int64_t d = 0; d < spec.value_dim && weight != 0; ++d)
        product.out[w.out_at(b, h, i) + d] += weight * w.value_row(b, h, j)[d];
    }
    const RowReference& r = reference.rows[static_cast<std::size_t>(row)];
    const double expected = r.empty ? 0 : 1 - (spec.sinks ? std::exp(w.sinks[h] - r.lse) : 0);
    if (!(std::abs(sum - expected) <= 2 * relative_tolerance(spec.head_dim, r.amplitude)))
      throw Failure("the weights of a row sum to " + std::to_string(sum) + "; " + describe(spec));
  }
  session.expect_equal_but_rounding(w, product, result);
}

/// Causal is a triangular mask: the same keys, selected in two ways.
void causal_is_a_mask(Session& session, std::int64_t queries, std::int64_t keys) {
  Spec spec = law_spec(queries, keys);
  spec.mask = MaskKind::boolean;
  spec.mask_shape = {queries, keys};
  Workload masked = session.draw(session.with_lse(spec));
  for (std::int64_t i = 0; i < queries; ++i)
    for (std::int64_t j = 0; j < keys; ++j) masked.mask[i * keys + j] = j <= i + keys - queries ? 1 : 0;
  Workload causal = masked;
  causal.mask = {};
  causal.spec.mask = MaskKind::none;
  causal.spec.causal = true;
  session.expect_equal_but_rounding(causal, session.run(masked), session.run(causal));
}

void add_laws_of_one(std::vector<Case>& cases) {
  const auto add = [&](const std::string& name, std::function<void(Session&)> run) {
    cases.push_back({"law/" + name, Tier::quick, std::move(run)});
  };
  for (const bool causal : {false, true}) {
    const std::string what = causal ? "causal" : "plain";
    add("wide_window/" + what, [=](Session& s) { wide_window(s, causal); });
    for (const std::int64_t queries : {1, 19, 70})
      add("expanded_heads/" + what + "_q" + std::to_string(queries),
          [=](Session& s) { expanded_heads(s, queries, causal); });
  }
  add("shifted_logits", shifted_logits);
  // Tiles of rows that attend different keys, which are converted: neither a tile nor its weights may spoil the copy.
  for (const DType dtype : {DType::f16, DType::bf16})
    add(std::string("weights/windows_of_") + name(dtype), [=](Session& s) {
      Spec spec = law_spec(70, 90);
      spec.set_dtype(dtype);
      spec.causal = true;
      spec.window_left = 7;
      weights_are_the_result(s, spec);
    });
  for (const auto& [q, k] : {std::pair{1, 30}, {19, 70}, {70, 33}})
    add("causal_is_a_mask/q" + std::to_string(q) + "_k" + std::to_string(k),
        [=, q = q, k = k](Session& s) { causal_is_a_mask(s, q, k); });
}

/// Laws that are tried with several options.
void add_laws_of_many(std::vector<Case>& cases) {
  struct Variant {
    const char* name;
    void (*apply)(Spec&);
    bool knows_positions;
  };
  const Variant variants[] = {{"plain", [](Spec&) {}, false},
                              {"causal", [](Spec& s) { s.causal = true; }, true},
                              {"sinks", [](Spec& s) { s.sinks = true; }, false},
                              {"softcap", [](Spec& s) { s.softcap = 2; }, false},
                              {"sinks_causal", [](Spec& s) { s.sinks = s.causal = true; }, true},
                              {"window", [](Spec& s) { s.window_left = 7, s.window_right = 5; }, true},
                              {"alibi", [](Spec& s) { s.alibi = Alibi::per_head; }, true},
                              {"block_mask", [](Spec& s) { s.set_blocks(7, 1); }, true}};
  for (const Variant& variant : variants) {
    for (const auto& [q, k] : {std::pair<std::int64_t, std::int64_t>{1, 90}, {33, 90}, {70, 40}}) {
      Spec spec = law_spec(q, k);
      variant.apply(spec);
      const std::string what = std::string(variant.name) + "_q" + std::to_string(q);
      const auto add = [&](const char* law, std::function<void(Session&)> run) {
        cases.push_back({std::string("law/") + law + "/" + what, Tier::quick, std::move(run)});
      };
      if (!variant.knows_positions) add("permutation", [=](Session& s) { permutation(s, spec); });
      add("ones", [=](Session& s) { ones(s, spec); });
      add("split_and_merge", [=](Session& s) {
        for (const std::int64_t split : {std::int64_t{1}, spec.keys / 2, spec.keys}) split_and_merge(s, spec, split);
      });
      add("weights", [=](Session& s) { weights_are_the_result(s, spec); });
    }
  }
}

}  // namespace

std::vector<Case> law_cases() {
  std::vector<Case> cases;
  add_laws_of_one(cases);
  add_laws_of_many(cases);
  return cases;
}

}  // namespace attune::conformance
