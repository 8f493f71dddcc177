// The CPU's name and caches, from made-up texts and folders.
#include "engine/cpu.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <attune/machine.hpp>
#include "backends/kernels/instruction_sets.hpp"
#include "engine/machines.hpp"

namespace attune::detail {
namespace {

namespace fs = std::filesystem;

std::string name_in(const std::string& cpuinfo) {
  std::istringstream text(cpuinfo);
  return cpu_name(text);
}

TEST(CpuName, IsTheModelNameOfX86) {
  EXPECT_EQ(name_in("processor\t: 0\nmodel\t\t: 1\nmodel name\t: Some CPU @ 3 GHz\nflags\t: a b\n"),
            "Some CPU @ 3 GHz");
}

TEST(CpuName, IsMadeOfNumbersOnArm) {
  EXPECT_EQ(name_in("processor\t: 0\nCPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n"),
            "implementer 0x41, part 0xd0c");
}

TEST(CpuName, IsUnknownWhereNothingIsTold) {
  for (const char* text : {"", "processor : 0\n", "model name\n", "model name :\n", "CPU part : 0xd0c\n"})
    EXPECT_EQ(name_in(text), "unknown") << text;
}

TEST(InstructionSets, AllHaveNamesThatCallersKnow) {
  for (const kernels::InstructionSet& set : kernels::instruction_sets())
    EXPECT_TRUE(parse_isa(set.kernels->name)) << set.kernels->name;
}

class Caches : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("attune-caches-" + std::to_string(getpid()) + "-" + test->name());
  }
  void TearDown() override { fs::remove_all(folder_); }

  void add(int index, const std::string& level, const std::string& type, const std::string& size) {
    const fs::path cache = folder_ / ("index" + std::to_string(index));
    fs::create_directories(cache);
    std::ofstream(cache / "level") << level << '\n';
    std::ofstream(cache / "type") << type << '\n';
    std::ofstream(cache / "size") << size << '\n';
  }
  std::optional<std::size_t> bytes(int level) const { return cache_bytes(folder_, level); }

 private:
  fs::path folder_;
};

TEST_F(Caches, AreFoundByLevelAndHoldData) {
  add(0, "1", "Instruction", "64K");
  add(1, "1", "Data", "32K");
  add(2, "2", "Unified", "1M");
  add(3, "3", "Unified", "1234");
  EXPECT_EQ(bytes(1), 32u << 10);
  EXPECT_EQ(bytes(2), 1u << 20);
  EXPECT_EQ(bytes(3), 1234u);
  EXPECT_EQ(bytes(4), std::nullopt);
}

TEST_F(Caches, AreUnknownWhereNothingIsTold) {
  EXPECT_EQ(bytes(1), std::nullopt);
  add(0, "1", "Data", "");
  EXPECT_EQ(bytes(1), std::nullopt);
}

TEST(Machine, KnowsItselfByANameAndSizes) {
  const Machine machine = Machine::detect();
  EXPECT_FALSE(machine.cpu.empty());
  EXPECT_GT(machine.l1_bytes, 0u);
  EXPECT_GT(machine.l2_bytes, 0u);
  EXPECT_EQ(machine.l3_bytes, cache_bytes("/sys/devices/system/cpu/cpu0/cache", 3).value_or(machine.l3_bytes));
  ASSERT_FALSE(machine.isas.empty());
  EXPECT_EQ(machine.isa, machine.isas.back());
#if defined(__aarch64__)
  EXPECT_EQ(machine.isa, Isa::neon);
#endif
}

}  // namespace
}  // namespace attune::detail
