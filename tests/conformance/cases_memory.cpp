// Part 5 of the suite: memory. Every run of the suite has its inputs end at an unreadable page, its outputs between
// canaries and a workspace of exactly the bytes it asked for; what is added here is the other end, the gaps, and
// padding that must not be read.
//
// How to add a case: choose a Placement (placement.hpp) and call session.expect_agrees(spec, placement).
#include <limits>
#include <string>

#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

constexpr std::pair<std::int64_t, std::int64_t> sizes[] = {{1, 1}, {1, 65}, {3, 8}, {17, 33}, {65, 31}};

void at_the_border(Session& session, test::Edge edge, Layout layout) {
  for (const auto& [queries, keys] : sizes) {
    for (const std::int64_t dim : {1, 17, 64}) {
      Spec spec;
      spec.set_heads(2, 1);
      spec.set_sizes(queries, keys);
      spec.head_dim = dim;
      spec.value_dim = dim == 17 ? 5 : dim;
      spec.causal = queries > 1;
      Placement placement = Placement::all(layout);
      placement.edge = edge;
      session.expect_agrees(spec, placement);
    }
  }
}

/// Padding beyond the key lengths holds NaN, and where it fills pages, or ends the tensor, these are unreadable.
Workload with_padding(Session& session, Spec spec) {
  Workload w = session.draw(session.with_lse(spec));
  w.key.hidden.assign(w.key.values.size(), 0);
  w.value.hidden.assign(w.value.values.size(), 0);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const auto hide = [&](Array& array, std::int64_t first, std::int64_t count) {
    for (std::int64_t i = first; i < first + count; ++i) array[i] = nan, array.hidden[static_cast<std::size_t>(i)] = 1;
  };
  for (std::int64_t b = 0; b < spec.batch; ++b) {
    for (std::int64_t h = 0; h < spec.kv_heads; ++h) {
      for (std::int64_t j = w.keys_of(b); j < spec.keys; ++j) {
        hide(w.key, w.key_at(b, h, j), spec.head_dim);
        hide(w.value, w.value_at(b, h, j), spec.value_dim);
      }
    }
  }
  if (w.mask.empty() || w.mask.extent(w.mask.rank - 1) != spec.keys || w.mask.extent(0) != spec.batch) return w;
  w.mask.hidden.assign(w.mask.values.size(), 0);
  const std::int64_t rows_per_member = w.mask.size() / spec.keys / spec.batch;
  for (std::int64_t row = 0; row < rows_per_member * spec.batch; ++row) {
    const std::int64_t length = w.keys_of(row / rows_per_member);
    for (std::int64_t j = length; j < spec.keys; ++j) {
      w.mask.hidden[static_cast<std::size_t>(row * spec.keys + j)] = 1;
      if (spec.mask != MaskKind::boolean) w.mask[row * spec.keys + j] = nan;
    }
  }
  return w;
}

void padding(Session& session, Layout layout, MaskKind mask) {
  for (const std::int64_t queries : {1, 9, 40}) {
    Spec spec;
    spec.batch = 3;
    spec.set_heads(4, 2);
    spec.set_sizes(queries, 150);
    spec.set_dims(48);
    spec.key_lengths = {70, 0, 33};
    spec.mask = mask;
    Placement placement;
    placement.key = placement.value = layout;
    session.expect_agrees(with_padding(session, spec), placement);
    spec.batch = 1;
    spec.key_lengths = {69};
    session.expect_agrees(with_padding(session, spec), placement);
  }
}

/// Memory that two workers share within one loop is a race, even if no test run ever loses it.
void workers_apart(Session& session) {
  // Large enough that no backend keeps them on the caller's thread.
  for (const auto& [queries, keys] : {std::pair<std::int64_t, std::int64_t>{1, 3000}, {3, 1500}, {70, 90}, {129, 80}}) {
    Spec spec;
    spec.batch = 2;
    spec.set_heads(4, 2);
    spec.set_sizes(queries, keys);
    spec.set_dims(32);
    spec.causal = true;
    session.run_watched(session.draw(session.with_lse(spec)), 3);
  }
}

}  // namespace

std::vector<Case> memory_cases() {
  std::vector<Case> cases;
  for (const Layout layout :
       {Layout::contiguous, Layout::heads_inside, Layout::padded, Layout::spread, Layout::reversed}) {
    const std::string what = name(layout);
    cases.push_back(
        {"memory/ends_at_border/" + what, Tier::quick, [=](Session& s) { at_the_border(s, test::Edge::end, layout); }});
    cases.push_back({"memory/begins_at_border/" + what, Tier::quick,
                     [=](Session& s) { at_the_border(s, test::Edge::begin, layout); }});
  }
  for (const Layout layout : {Layout::contiguous, Layout::heads_inside})
    for (const auto& [what, mask] :
         {std::pair{"no_mask", MaskKind::none}, {"bool_mask", MaskKind::boolean}, {"f32_mask", MaskKind::f32}})
      cases.push_back({std::string("memory/padding/") + name(layout) + "/" + what, Tier::quick,
                       [=, m = mask](Session& s) { padding(s, layout, m); }, Trait::padding_is_unread});
  cases.push_back({"memory/workers_apart", Tier::quick, workers_apart, Trait::workers_write_apart});
  return cases;
}

}  // namespace attune::conformance
