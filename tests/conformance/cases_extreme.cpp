// Part 2, by hand: numbers at the end of their range, NaN and infinity, sizes of zero, rows with nothing to attend to.
//
// How to add a case: draw a workload from a Spec, change the numbers it is about (workload.key[…] = …), and call
// session.expect_agrees(workload). Push it under "extreme/…" in extreme_cases().
#include <cmath>
#include <limits>
#include <sstream>
#include <string>

#include <attune/tolerance.hpp>
#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

using namespace tolerance;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Spec plain(std::int64_t queries, std::int64_t keys, bool causal = false) {
  Spec spec;
  spec.set_heads(2, 1);
  spec.set_sizes(queries, keys);
  spec.set_dims(32);
  spec.causal = causal;
  return spec;
}

void set_all(Array& array, double number) {
  array.fill([=] { return number; });
}

void large_logits(Session& session, double size) {
  for (const bool causal : {false, true}) {
    Spec spec = plain(19, 70, causal);
    spec.logits = size;
    session.expect_agrees(spec);
  }
}

/// Scores that grow (or fall) key by key: a running maximum changes in every block, or only once.
void sorted_scores(Session& session, double step) {
  Workload w = session.draw(session.with_lse(plain(7, 300)));
  set_all(w.query, 1);
  for (std::int64_t j = 0; j < w.spec.keys; ++j)
    for (std::int64_t d = 0; d < w.spec.head_dim; ++d)
      w.key[w.key_at(0, 0, j) + d] = round_to(DType::f32, step * static_cast<double>(j));
  session.expect_agrees(w);
}

/// All logits far below zero: what a finite stand-in for −inf loses to.
void very_negative_logits(Session& session, double logit) {
  Workload w = session.draw(session.with_lse(plain(5, 64)));
  w.spec.scale = 1;
  set_all(w.query, 1);
  set_all(w.key, logit / static_cast<double>(w.spec.head_dim));
  w.key[w.key_at(0, 0, 0)] += 1024;
  w.key = w.key.as(DType::f32);
  session.expect_agrees(w);
}

/// Keys of the future with much larger scores than those that may be attended.
void future_would_dominate(Session& session) {
  for (const std::int64_t queries : {8, 32, 128}) {
    Workload w = session.draw(session.with_lse(plain(queries, 128, true)));
    w.spec.scale = 1;
    set_all(w.query, 8);
    set_all(w.key, -8.0 / 32);
    const std::int64_t first_query_sees = 128 - queries;
    for (std::int64_t j = first_query_sees + 1; j < 128; ++j)
      for (std::int64_t d = 0; d < w.spec.head_dim; ++d) w.key[w.key_at(0, 0, j) + d] = 2;
    session.expect_agrees(w);
  }
}

/// A row of equal finite mask values, however low, is no row without keys: it gives the mean of V. (A is beyond all
/// bounds here, so the usual tolerance would say nothing: the scores are equal after rounding, and A = 0 holds.)
void lowest_finite_mask(Session& session) {
  Spec spec = plain(3, 50);
  spec.mask = MaskKind::f32;
  Workload w = session.draw(spec);
  set_all(w.mask, -static_cast<double>(std::numeric_limits<float>::max()));
  const Result result = session.run(w);
  for (std::int64_t h = 0; h < w.spec.heads; ++h) {
    for (std::int64_t d = 0; d < w.spec.value_dim; ++d) {
      double mean = 0, mass = 0;
      for (std::int64_t j = 0; j < w.spec.keys; ++j) {
        mean += w.value_row(0, h, j)[d] / static_cast<double>(w.spec.keys);
        mass += std::abs(w.value_row(0, h, j)[d]) / static_cast<double>(w.spec.keys);
      }
      const double got = result.out[w.out_at(0, h, 1) + d];
      if (!(std::abs(got - mean) <= out_tolerance(relative_tolerance(w.spec.head_dim, 0), 0, mass, w.spec.keys)))
        throw Failure("a row whose mask is −FLT_MAX everywhere is not the mean of V: " + std::to_string(got) +
                      " instead of " + std::to_string(mean));
    }
  }
}

/// A float mask with whole rows of −inf (empty) and with +inf (NaN) among ordinary ones.
void infinite_mask(Session& session) {
  Spec spec = plain(12, 70);
  spec.mask = MaskKind::f32;
  spec.mask_shape = {12, 70};
  Workload w = session.draw(session.with_lse(spec));
  for (std::int64_t j = 0; j < 70; ++j) w.mask[3 * 70 + j] = -infinity;
  w.mask[5 * 70 + 69] = infinity;
  w.mask[7 * 70 + 0] = nan;
  session.expect_agrees(w);
}

/// `number` in one place: rows that attend it are NaN (or infinite), all others as if it were not there.
void poisoned_key(Session& session, double number, std::int64_t j, bool in_value) {
  for (const std::int64_t queries : {1, 19, 70}) {
    for (const bool causal : {false, true}) {
      Workload w = session.draw(session.with_lse(plain(queries, 70, causal)));
      (in_value ? w.value : w.key)[(in_value ? w.value_at(0, 0, j) : w.key_at(0, 0, j)) + 5] = number;
      session.expect_agrees(w);
    }
  }
}

/// The same behind the last key that causal leaves, where a pair, a block or a chunk may hold both: nobody notices.
void poisoned_future(Session& session, double number) {
  struct Sizes {
    std::int64_t queries, keys, offset;
  };
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (const Sizes& sizes : {Sizes{1, 70, 12}, {15, 64, 0}, {16, 64, 5}, {19, 70, 30}, {16, 1024, 501}}) {
      Spec spec = plain(sizes.queries, sizes.keys, true);
      spec.set_dtype(dtype);
      spec.align = Align::Kind::offset;
      spec.offset = sizes.offset;
      Workload w = session.draw(session.with_lse(spec));
      const std::int64_t first = sizes.offset + sizes.queries;
      for (std::int64_t h = 0; h < spec.kv_heads; ++h) w.value[w.value_at(0, h, first) + 5] = number;
      session.expect_agrees(w);
    }
  }
}

/// Weights of a row that attends +inf: NaN wherever a key is attended, also where a weight would underflow.
void weights_of_poisoned_row(Session& session) {
  for (const std::int64_t queries : {1, 19}) {
    Spec spec = plain(queries, 70, true);
    spec.weights = true;
    Workload w = session.draw(spec);
    for (std::int64_t h = 0; h < spec.kv_heads; ++h)
      for (std::int64_t d = 0; d < spec.head_dim; ++d) w.key[w.key_at(0, h, 40) + d] = infinity;
    for (double& number : w.query.values) number = std::abs(number) + 0x1p-4;
    session.expect_agrees(w);
  }
}

/// Equal weights round alike: sums that are one long chain drift away.
void equal_weights(Session& session, std::int64_t queries, std::int64_t keys) {
  Spec spec = plain(queries, keys);
  spec.set_dims(8);
  spec.sinks = true;
  Workload w = session.draw(session.with_lse(spec));
  set_all(w.query, 0);
  for (const double sink : {0.3, 1.0, 2.3, 3.7}) {
    set_all(w.sinks, round_to(DType::f32, sink));
    set_all(w.value, round_to(DType::f32, 0.7));
    session.expect_agrees(w);
  }
}

/// Factors at either end of the range whose product is an ordinary number.
void large_and_small_factors(Session& session) {
  for (const std::int64_t queries : {1, 19}) {
    Workload w = session.draw(session.with_lse(plain(queries, 70)));
    for (const auto& [scale, size] : {std::pair{1e-36, 1e18}, {3e38, 1e-20}, {-3e38, 1e-20}}) {
      w.spec.scale = scale;
      for (Array* array : {&w.query, &w.key})
        for (double& number : array->values) number = round_to(DType::f32, std::copysign(size, number));
      session.expect_agrees(w);
    }
  }
}

void poisoned_query(Session& session, double number) {
  Workload w = session.draw(session.with_lse(plain(19, 70)));
  w.query[4 * w.spec.head_dim + 3] = number;
  session.expect_agrees(w);
}

/// q·k of one row leaves the f32 range: what becomes of it is open, but no other row changes.
void overflowing_row(Session& session) {
  const Workload before = session.draw(session.with_lse(plain(19, 70)));
  Workload w = before;
  for (std::int64_t d = 0; d < w.spec.head_dim; ++d) w.query[4 * w.spec.head_dim + d] = 1e38 * (d % 2 == 0 ? 1 : -1);
  w.query = w.query.as(DType::f32);
  for (double& number : w.key.values) number = round_to(DType::f32, number * 40);
  session.expect_agrees(w);
}

void subnormals(Session& session) {
  Workload w = session.draw(session.with_lse(plain(19, 70)));
  for (Array* array : {&w.query, &w.key, &w.value})
    for (std::int64_t i = 0; i < array->size(); i += 3) (*array)[i] = round_to(DType::f32, (*array)[i] * 1e-40);
  session.expect_agrees(w);
  for (double& number : w.value.values) number = round_to(DType::f32, number * 1e-40);
  session.expect_agrees(w);
}

void zero_size(Session& session, void (*shrink)(Spec&)) {
  for (const std::int64_t queries : {1, 9})
    for (const bool causal : {false, true}) {
      Spec spec = plain(queries, 17, causal);
      spec.batch = 2;
      shrink(spec);
      session.expect_agrees(spec);
    }
}

/// Causal rows before the first key, at both alignments and at offsets far away.
void empty_rows(Session& session) {
  session.expect_agrees(plain(70, 9, true));
  session.expect_agrees(plain(300, 1, true));
  for (const std::int64_t offset :
       {std::int64_t{-3}, std::int64_t{-18}, std::int64_t{-19}, std::int64_t{-100000}, std::int64_t{100000},
        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    Spec spec = plain(19, 40, true);
    spec.align = Align::Kind::offset;
    spec.offset = offset;
    session.expect_agrees(spec);
  }
}

void empty_windows(Session& session) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  struct Window {
    std::int64_t left, right, offset;
  };
  for (const Window& window : {Window{0, 0, 0},
                               {0, 0, 35},
                               {3, -1, 60},
                               {-1, 0, -10},
                               {5, 2, -40},
                               {most, 0, 3},
                               {most, most, 3},
                               {2, most, -most},
                               {most, 1, most}}) {
    Spec spec = plain(19, 40);
    spec.align = Align::Kind::offset;
    spec.window_left = window.left;
    spec.window_right = window.right;
    spec.offset = window.offset;
    session.expect_agrees(spec);
  }
}

void sink_alone(Session& session, double sink) {
  Spec spec = plain(30, 12, true);
  spec.sinks = true;
  Workload w = session.draw(session.with_lse(spec));
  set_all(w.sinks, round_to(DType::f32, sink));
  session.expect_agrees(w);
}

std::string short_number(double number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

void half_range(Session& session) {
  Spec spec = plain(23, 80);
  spec.set_dtype(DType::f16);
  Workload w = session.draw(session.with_lse(spec));
  for (Array* array : {&w.query, &w.key, &w.value}) set_all(*array, 256);
  session.expect_agrees(w);
}

}  // namespace

std::vector<Case> extreme_cases() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, std::function<void(Session&)> run) {
    cases.push_back({"extreme/" + name, Tier::quick, std::move(run)});
  };
  for (const int power : {2, 3, 4, 5})
    add("logits/1e" + std::to_string(power), [=](Session& s) { large_logits(s, std::pow(10, power)); });
  add("rising_scores", [](Session& s) { sorted_scores(s, 0.02), sorted_scores(s, 1.5); });
  add("falling_scores", [](Session& s) { sorted_scores(s, -0.02), sorted_scores(s, -1.5); });
  for (const double logit : {-1e4, -6e4, -2.45e5})
    add("very_negative/" + std::to_string(static_cast<int>(logit)),
        [=](Session& s) { very_negative_logits(s, logit); });
  add("future_would_dominate", future_would_dominate);
  add("lowest_finite_mask", lowest_finite_mask);
  add("infinite_mask", infinite_mask);
  for (const auto& [what, value] : {std::pair{"nan", nan}, {"inf", infinity}, {"minus_inf", -infinity}}) {
    const auto number = value;  // clang 14 cannot capture a structured binding
    for (const std::int64_t j : {0, 31, 64, 69}) {
      add(std::string(what) + "/key" + std::to_string(j), [=](Session& s) { poisoned_key(s, number, j, false); });
      add(std::string(what) + "/value" + std::to_string(j), [=](Session& s) { poisoned_key(s, number, j, true); });
    }
    add(std::string(what) + "/query", [=](Session& s) { poisoned_query(s, number); });
  }
  for (const auto& [what, value] : {std::pair{"nan", nan}, {"inf", infinity}}) {
    const auto number = value;
    add(std::string(what) + "/future", [=](Session& s) { poisoned_future(s, number); });
  }
  add("inf/weights", weights_of_poisoned_row);
  for (const std::int64_t queries : {1, 40})
    for (const std::int64_t keys : {1000, 4096, 16384})
      add("equal_weights/q" + std::to_string(queries) + "_k" + std::to_string(keys),
          [=](Session& s) { equal_weights(s, queries, keys); });
  add("large_and_small_factors", large_and_small_factors);
  add("overflowing_row", overflowing_row);
  add("subnormals", subnormals);
  add("zero/batch", [](Session& s) { zero_size(s, [](Spec& spec) { spec.batch = 0; }); });
  add("zero/heads", [](Session& s) { zero_size(s, [](Spec& spec) { spec.set_heads(0, 0); }); });
  add("zero/queries", [](Session& s) { zero_size(s, [](Spec& spec) { spec.queries = 0; }); });
  add("zero/keys", [](Session& s) { zero_size(s, [](Spec& spec) { spec.keys = 0; }); });
  add("zero/value_dim", [](Session& s) { zero_size(s, [](Spec& spec) { spec.value_dim = 0; }); });
  add("zero/everything",
      [](Session& s) { zero_size(s, [](Spec& spec) { spec.batch = spec.queries = spec.keys = spec.value_dim = 0; }); });
  add("empty_rows", empty_rows);
  add("empty_windows", empty_windows);
  for (const double sink : {-3.4e38, -1e4, 0.0, 1e4, 3.4e38})
    add("sink/" + short_number(sink), [=](Session& s) { sink_alone(s, sink); });
  add("half_range", half_range);
  return cases;
}

}  // namespace attune::conformance
