// Memory beyond the call's own tensors grows in proportion to the sequence length, whatever the options: nothing of
// the size queries · keys exists, except `weights` where a caller asks for them.
//
// The bounds. A workspace of n-proportional and constant parts at length 4n is at most 4 times that at length n, where
// parts are rounded up to whole tiles and cache lines: at most one tile of `rounding` bytes a worker. What is resident
// at most while the call runs is what was resident before and the workspace, in whole pages, and the stacks and tables
// that a first call touches: `overhead`, which one matrix of scores at the greater length exceeds by itself.
//
// To add a combination: an option in tests/conformance/toggles.cpp is tested here too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <attune/engine.hpp>

#include "tests/conformance/placement.hpp"
#include "tests/conformance/toggles.hpp"
#include "tests/conformance/workload.hpp"
#include "tests/memory/resident.hpp"
#include "tests/support/executors.hpp"

namespace attune {
namespace {

using conformance::PlacedCall;
using conformance::Random;
using conformance::Spec;
using conformance::Toggle;

constexpr std::int64_t short_length = 256, long_length = 4 * short_length;
constexpr int workers = 2;
constexpr std::size_t rounding = workers * (16u << 10);
constexpr std::size_t scores = long_length * long_length * sizeof(float);  // of one head: 4 MiB
constexpr std::size_t overhead = 1u << 20;
static_assert(overhead + 4 * rounding < scores);

/// Packing changes the sizes that the other options go by.
Spec spec_of(const std::vector<Toggle>& chosen, std::int64_t length) {
  Spec spec;
  spec.set_sizes(length, length);
  spec.set_heads(2, 2);
  spec.set_dims(16);
  for (const bool packing : {true, false})
    for (const Toggle& toggle : chosen)
      if ((std::string_view(toggle.group) == "packed") == packing) toggle.apply(spec);
  return spec;
}

struct Memory {
  std::size_t workspace = 0;  // that the plan asks for
  std::size_t grown = 0;      // at most resident during the first call of an engine, beyond what was before
};

Memory measure(const std::vector<Toggle>& chosen, const std::string& backend, std::int64_t length) {
  Random random(1);
  const PlacedCall call(conformance::generate(spec_of(chosen, length), random), {});
  Engine engine(Engine::Config{.backend = backend, .isa = {}, .executor = nullptr, .builtins = true});
  test::OrderExecutor executor(workers, test::Order::ascending);
  const auto [problem, extents] = describe(call.tensors(), call.options());
  Memory memory;
  memory.workspace =
      engine.plan(problem, extents, workers)->bind(call.tensors(), call.options()).workspace_bytes(workers);
  if (!test::reset_peak()) return memory;
  const std::size_t before = test::resident_now();
  engine.attention(call.tensors(), call.options(), &executor);
  memory.grown = test::resident_peak() - std::min(before, test::resident_peak());
  return memory;
}

void expect_linear(const std::vector<Toggle>& chosen, const std::string& backend) {
  const Memory few = measure(chosen, backend, short_length), many = measure(chosen, backend, long_length);
  EXPECT_LE(many.workspace, 4 * few.workspace + rounding);
  EXPECT_LE(many.grown, many.workspace + overhead);
}

bool is_weights(const Toggle& toggle) { return std::string_view(toggle.group) == "weights"; }

class MemoryGrowth : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!test::reset_peak() || test::resident_peak() == 0) GTEST_SKIP() << "the system does not tell peak memory";
  }
};

TEST_P(MemoryGrowth, IsLinearForEveryOptionAlone) {
  expect_linear({}, GetParam());
  for (const Toggle& toggle : conformance::toggles()) {
    SCOPED_TRACE(toggle.name);
    expect_linear({toggle}, GetParam());  // the weights themselves are the caller's memory, not the call's
  }
}

TEST_P(MemoryGrowth, IsLinearForEveryPairOfOptions) {
  const std::vector<Toggle>& all = conformance::toggles();
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      if (!conformance::compatible(all[i], all[j]) || is_weights(all[i]) || is_weights(all[j])) continue;
      SCOPED_TRACE(std::string(all[i].name) + " and " + all[j].name);
      expect_linear({all[i], all[j]}, GetParam());
    }
}

INSTANTIATE_TEST_SUITE_P(Backends, MemoryGrowth, testing::Values("simd", "tiled"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace attune
