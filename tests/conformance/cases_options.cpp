// Part 1, continued: every option alone, and every pair of options.
//
// How to add a case: add the option to the list in toggles.cpp. It is then tested alone and with each other option.
// Packing ("cu_seqlens") changes what "per batch member" means and is applied first.
#include <string>
#include <string_view>

#include "tests/conformance/suite.hpp"
#include "tests/conformance/toggles.hpp"

namespace attune::conformance {
namespace {

Spec base(std::int64_t queries, std::int64_t keys) {
  Spec spec;
  spec.batch = 3;
  spec.set_heads(4, 4);
  spec.set_sizes(queries, keys);
  spec.set_dims(16);
  return spec;
}

void apply(Spec& spec, std::vector<Toggle> chosen) {
  for (const bool packing : {true, false})
    for (const Toggle& toggle : chosen)
      if ((std::string_view(toggle.group) == "packed") == packing) toggle.apply(spec);
}

void check(Session& session, const std::vector<Toggle>& chosen) {
  // Decode, a block with ragged edges, more queries than keys; in the full tier also shapes of several tiles.
  std::vector<std::pair<std::int64_t, std::int64_t>> sizes = {{1, 40}, {19, 37}, {33, 21}};
  if (session.tier() == Tier::full) sizes.insert(sizes.end(), {{67, 150}, {130, 129}, {2, 300}});
  for (const auto& [queries, keys] : sizes) {
    Spec spec = base(queries, keys);
    apply(spec, chosen);
    const bool asks_for_lse = spec.lse;
    session.expect_agrees(session.draw(asks_for_lse ? spec : session.with_lse(spec)));
  }
}

}  // namespace

std::vector<Case> option_cases() {
  std::vector<Case> cases;
  const std::vector<Toggle>& all = toggles();
  for (const Toggle& toggle : all)
    cases.push_back({std::string("options/single/") + toggle.name, Tier::quick,
                     [=](Session& session) { check(session, {toggle}); }});
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = i + 1; j < all.size(); ++j)
      if (compatible(all[i], all[j]))
        cases.push_back({std::string("options/pair/") + all[i].name + "+" + all[j].name, Tier::quick,
                         [a = all[i], b = all[j]](Session& session) { check(session, {a, b}); }});
  return cases;
}

}  // namespace attune::conformance
