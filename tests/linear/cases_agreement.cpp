// The recurrence in double against the function, within the tolerance that tolerance.hpp derives. A case is a set of
// sizes: add it to one of the lists.
#include <cmath>
#include <cstdio>

#include "tests/linear/suite.hpp"
#include "tests/linear/tolerance.hpp"

namespace attune::test {
namespace {

/// The first element that lies too far from the reference; mass: what the tolerance is a multiple of.
std::string difference(const char* what, const std::vector<float>& result, const std::vector<double>& expected,
                       const std::vector<double>& mass, double relative) {
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double allowed = relative * mass[i] + 0x1p-24 * std::abs(expected[i]) + 0x1p-126;
    if (std::abs(static_cast<double>(result[i]) - expected[i]) <= allowed) continue;
    char text[160];
    std::snprintf(text, sizeof text, "%s: element %zu is %.9g, the recurrence says %.9g (allowed: %.1e)", what, i,
                  static_cast<double>(result[i]), expected[i], allowed);
    return text;
  }
  return {};
}

std::string fault_of(const LinearSizes& sizes, bool with_state, const LinearFunction& function) {
  const LinearCase c(sizes, 7);
  const LinearReference reference = reference_of(c, with_state);
  const LinearTolerance tolerance(sizes.keys, sizes.dim, reference.largest_negative);
  const LinearResult result = run(c, function, with_state);
  const std::string fault = difference("out", result.out, reference.out, reference.mass, tolerance.of_out());
  if (!fault.empty() || !with_state) return fault;
  return difference("state", result.state, reference.state, reference.state_mass, tolerance.of_state());
}

}  // namespace

void add_agreement_cases(std::vector<LinearConformanceCase>& cases) {
  const auto add = [&cases](const std::string& what, const LinearSizes& sizes, bool with_state) {
    cases.push_back({"linear/" + what + (sizes.causal ? "/causal" : "") + (with_state ? "/state" : ""),
                     [=](const LinearFunction& function) { return fault_of(sizes, with_state, function); }});
  };
  for (const bool with_state : {false, true}) {
    // Around every edge of lanes, chunks and segments.
    for (const std::int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 130, 511, 512, 513, 700})
      for (const bool causal : {false, true})
        add("length/" + std::to_string(n), {1, 1, 1, n, n, 16, 16, causal}, with_state);
    add("shape/groups", {3, 6, 2, 75, 75, 24, 20, true}, with_state);
    add("shape/one-kv-head", {2, 8, 1, 40, 600, 24, 20, false}, with_state);
    add("shape/few-keys", {1, 4, 4, 600, 3, 24, 20, false}, with_state);
    add("shape/no-key", {1, 2, 1, 5, 0, 8, 8, false}, with_state);
    add("shape/no-query", {1, 2, 1, 0, 9, 8, 8, false}, with_state);
    add("shape/no-batch", {0, 2, 1, 4, 4, 8, 8, true}, with_state);
  }
  for (const std::int64_t dim : {1, 3, 8, 15, 40, 64, 80, 129})
    for (const std::int64_t value_dim : {0, 1, 7, 15, 16, 31, 32, 64, 65})
      add("dims/" + std::to_string(dim) + "x" + std::to_string(value_dim), {1, 1, 1, 70, 70, dim, value_dim, true},
          true);
}

}  // namespace attune::test
