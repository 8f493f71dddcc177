// In what order a decode reads keys and values, which goes by the machine and may decide the last bits.
#include <random>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <attune/attune.hpp>

#include "backends/tiled/tiled.hpp"
#include "backends/tiled/tiling.hpp"
#include "bench/aligned_bytes.hpp"

namespace attune {
namespace {

class KeyOrderTest : public testing::Test {
 protected:
  KeyOrderTest() {
    std::mt19937 bits(1);
    std::normal_distribution<float> distribution;
    for (std::vector<float>* numbers : {&query_, &key_, &value_})
      for (float& x : *numbers) x = distribution(bits);
  }

  static Machine machine(std::size_t l1_bytes) {
    Machine result = Machine::detect();
    result.l1_bytes = l1_bytes;
    return result;
  }

  /// Four heads that share a few thousand keys.
  std::vector<float> attend(std::string_view tiling, const Machine& machine) {
    std::vector<float> out(query_.size());
    const Tensors tensors{view(query_.data(), bhsd(1, 4, 1, dim)), view(key_.data(), bhsd(1, 1, keys, dim)),
                          view(value_.data(), bhsd(1, 1, keys, dim)), view(out.data(), bhsd(1, 4, 1, dim))};
    const Description call = describe(tensors, {});
    const auto bound = make_tiled()->plan_as(tiling, call.problem, machine)->bind(tensors, {});
    const bench::AlignedBytes workspace(bound.workspace_bytes(1));
    InlineExecutor executor;
    EXPECT_EQ(bound.run(workspace.span(), executor), Status::ok);
    return out;
  }

 private:
  static constexpr std::int64_t dim = 64, keys = 3000;
  std::vector<float> query_ = std::vector<float>(4 * dim), key_ = std::vector<float>(keys * dim), value_ = key_;
};

TEST_F(KeyOrderTest, IsThatOfMemoryWhereL1HasRoomForIt) {
  const Machine small = machine(32 << 10), large = machine(48 << 10);
  EXPECT_EQ(attend("", small), attend("keys in streams", large));
  EXPECT_EQ(attend("", large), attend("keys in order", small));
}

TEST_F(KeyOrderTest, ChangesNothingButRounding) {
  const Machine machine = Machine::detect();
  const std::vector<float> in_streams = attend("keys in streams", machine), in_order = attend("keys in order", machine);
  for (std::size_t i = 0; i < in_order.size(); ++i) EXPECT_NEAR(in_streams[i], in_order[i], 1e-6);
}

TEST_F(KeyOrderTest, DoesNotGoByTheCacheThatHoldsTheKeys) {
  Machine memory = Machine::detect(), cache = memory;
  memory.l3_bytes = 1 << 10;
  cache.l3_bytes = 1 << 30;
  for (const std::string_view tiling : {"keys in streams", "keys in order"})
    EXPECT_EQ(attend(tiling, memory), attend(tiling, cache)) << tiling;
}

TEST_F(KeyOrderTest, IsTheSameOnEveryMachineWhereResultsAreToBeReproducible) {
  const std::string_view tiling = make_tiled()->reproducible_tiling();
  EXPECT_EQ(attend(tiling, machine(32 << 10)), attend(tiling, machine(64 << 10)));

  Engine engine;
  const Problem problem{.heads = 4, .kv_heads = 1, .head_dim = 64, .value_dim = 64};
  const Choice choice = engine.select(problem, {}, 1, {.backend = "tiled", .isa = {}, .reproducible = true});
  EXPECT_EQ(choice.tiling, tiling);
}

}  // namespace
}  // namespace attune
