// What a warm call allocates: nothing. Every operator new of this program is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <attune/linear_attention.hpp>

#include "tests/unit/small_call.hpp"

namespace {

std::atomic<long> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// The other forms (of arrays) are defined by the standard library in terms of these; those that do not throw as well,
// but not where a sanitizer has its own. Never inlined: g++ warns falsely of memory from operator new that it sees
// free() called on.
[[gnu::noinline]] void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return operator new(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace attune {
namespace {

using test::SmallCall;

template <typename F>
long allocations_of(F f) {
  const long before = allocations;
  f();
  return allocations - before;
}

std::unique_ptr<std::vector<int>> kept;  // what nobody sees the compiler need not allocate

TEST(Allocation, IsCounted) {
  EXPECT_GE(allocations_of([] { kept = std::make_unique<std::vector<int>>(100); }), 2);
  EXPECT_GE(allocations_of([] { default_engine().select(Problem{}, Extents{}, 1); }), 1);
}

void use_every_option(SmallCall& call) {
  call.options.causal = true;
  call.options.window_left = 3;
  call.options.softcap = 20;
  call.options.attn_mask = call.mask_view();
  call.options.alibi_slopes = call.slopes_view();
  call.options.sinks = call.sinks_view();
  call.options.key_lengths = call.lengths_view();
  call.options.align = Align::per_batch(call.offsets_view());
  call.options.lse = call.lse_view();
  call.options.weights = call.weights_view();
}

TEST(Allocation, DescribeBindAndRunNeedNone) {
  SmallCall call;
  use_every_option(call);
  const auto [problem, extents] = describe(call.tensors, call.options);
  const auto plan = default_engine().plan(problem, extents, 1, {.backend = "naive", .isa = {}, .reproducible = false});
  const Call first = plan->bind(call.tensors, call.options);
  InlineExecutor executor;
  alignas(workspace_alignment) std::byte workspace[4096];
  ASSERT_LE(first.workspace_bytes(1), sizeof workspace);
  EXPECT_EQ(allocations_of([&] { describe(call.tensors, call.options); }), 0);
  EXPECT_EQ(allocations_of([&] { plan->bind(call.tensors, call.options); }), 0);
  EXPECT_EQ(allocations_of([&] { EXPECT_EQ(first.run(workspace, executor), Status::ok); }), 0);
}

TEST(Allocation, ACallThatWisdomDecidesNeedsNone) {
  Engine engine{Engine::Config{}};
  SmallCall call;
  const auto [problem, extents] = describe(call.tensors, call.options);
  engine.tune(problem, extents);
  ASSERT_FALSE(engine.select(problem, extents, engine.executor().num_threads()).measurements.empty());
  engine.attention(call.tensors, call.options);
  EXPECT_EQ(allocations_of([&] { engine.attention(call.tensors, call.options); }), 0);
}

TEST(Allocation, WarmLinearAttentionNeedsNone) {
  SmallCall call;
  const auto run = [&call] { default_engine().linear_attention(call.tensors, {}); };
  run();
  EXPECT_EQ(allocations_of(run), 0);
}

/// Each built-in by name, and the engine's own choice.
class WarmCall : public testing::TestWithParam<std::string> {};

TEST_P(WarmCall, AllocatesNothing) {
  SmallCall call;
  call.options.causal = true;
  call.options.lse = call.lse_view();
  call.options.backend = GetParam();
  default_engine().attention(call.tensors, call.options);  // plans, makes the executor and a workspace
  EXPECT_EQ(allocations_of([&] { default_engine().attention(call.tensors, call.options); }), 0);
}

TEST_P(WarmCall, AllocatesNothingWhenForcedAndReproducible) {
  SmallCall call;
  call.options.backend = GetParam();
  call.options.isa = name(default_engine().machine().isa);
  call.options.reproducible = true;
  default_engine().attention(call.tensors, call.options);
  EXPECT_EQ(allocations_of([&] { default_engine().attention(call.tensors, call.options); }), 0);
}

TEST_P(WarmCall, AllocatesNothingWhileADecodeGrowsWithinItsWorkspace) {
  SmallCall call;
  call.options.backend = GetParam();
  default_engine().attention(call.tensors, call.options);
  for (std::int64_t keys = 1; keys < SmallCall::keys; ++keys) {
    call.tensors.key.shape[2] = call.tensors.value.shape[2] = keys;
    EXPECT_EQ(allocations_of([&] { default_engine().attention(call.tensors, call.options); }), 0) << keys << " keys";
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, WarmCall, testing::Values("", "naive", "simd", "tiled"),
                         [](const auto& test) { return test.param.empty() ? std::string("choice") : test.param; });

}  // namespace
}  // namespace attune
