// CPU quotas of cgroups, read from made-up file trees.
#include "engine/cores.hpp"

#include <gtest/gtest.h>

#include <attune/executor.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace attune::detail {
namespace {

namespace fs = std::filesystem;

class Cgroups : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    mount_ = fs::temp_directory_path() / ("attune-cgroups-" + std::to_string(getpid()) + "-" + test->name());
    fs::create_directories(mount_);
  }
  void TearDown() override { fs::remove_all(mount_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((mount_ / path).parent_path());
    std::ofstream(mount_ / path) << text;
  }

  std::optional<int> cores(const std::string& membership) const { return cgroup_cores(mount_, membership); }

 private:
  fs::path mount_;
};

TEST_F(Cgroups, NoQuotaNoLimit) {
  EXPECT_EQ(cores("0::/\n"), std::nullopt);
  write("cpu.max", "max 100000\n");
  EXPECT_EQ(cores("0::/\n"), std::nullopt);
  EXPECT_EQ(cores(""), std::nullopt);
  EXPECT_EQ(cores("nonsense"), std::nullopt);
}

TEST_F(Cgroups, V2RoundsUpToWholeCores) {
  write("a/cpu.max", "250000 100000\n");
  EXPECT_EQ(cores("0::/a\n"), 3);
  write("a/cpu.max", "10000 100000\n");
  EXPECT_EQ(cores("0::/a\n"), 1);
}

TEST_F(Cgroups, V2TakesTheTightestUpToTheRoot) {
  write("a/cpu.max", "400000 100000\n");
  write("a/b/cpu.max", "max 100000\n");
  write("a/b/c/cpu.max", "800000 100000\n");
  EXPECT_EQ(cores("0::/a/b/c\n"), 4);
}

TEST_F(Cgroups, InAContainerThePathOfTheHostMayNotExist) {
  write("cpu.max", "200000 100000\n");
  EXPECT_EQ(cores("0::/docker/0123abcd\n"), 2);
}

TEST_F(Cgroups, V1ReadsQuotaAndPeriod) {
  write("cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n");
  write("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cores("5:memory:/job\n4:cpu,cpuacct:/job\n1:cpuset:/\n"), 2);
  write("cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cores("4:cpu,cpuacct:/job\n"), std::nullopt);
}

TEST_F(Cgroups, V1KnowsCpuFromCpuset) {
  write("cpu/cpu.cfs_quota_us", "100000\n");
  write("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cores("1:cpuset:/\n"), std::nullopt);
  EXPECT_EQ(cores("1:cpuset:/\n2:cpu:/\n"), 1);
}

TEST(AvailableCores, AreAtLeastOne) { EXPECT_GE(available_cores(), 1); }

}  // namespace
}  // namespace attune::detail
