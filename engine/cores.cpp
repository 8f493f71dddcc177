#include "engine/cores.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include <attune/executor.hpp>

namespace attune {
namespace detail {
namespace {

namespace fs = std::filesystem;

struct CpuSetFree {
  void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
};

/// The cores of the affinity mask; nothing where the system does not tell. The mask grows until it holds the
/// machine, because a fixed cpu_set_t ends at 1024 CPUs.
std::optional<int> affinity_cores() {
  for (std::size_t cpus = 1024; cpus <= (std::size_t{1} << 20); cpus *= 2) {
    const std::unique_ptr<cpu_set_t, CpuSetFree> set(CPU_ALLOC(cpus));
    if (!set) return std::nullopt;
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
    if (sched_getaffinity(0, bytes, set.get()) == 0) return CPU_COUNT_S(bytes, set.get());
  }
  return std::nullopt;
}

void keep_smaller(std::optional<double>& smallest, double quota, double period) {
  if (quota <= 0 || period <= 0) return;
  smallest = std::min(smallest.value_or(quota / period), quota / period);
}

/// v2: cpu.max holds "QUOTA PERIOD" or "max PERIOD".
void read_v2(const fs::path& group, std::optional<double>& smallest) {
  std::ifstream file(group / "cpu.max");
  double quota = 0;
  double period = 0;
  if (file >> quota >> period) keep_smaller(smallest, quota, period);
}

/// v1: two files, the quota is −1 where there is none.
void read_v1(const fs::path& group, std::optional<double>& smallest) {
  std::ifstream quota_file(group / "cpu.cfs_quota_us");
  std::ifstream period_file(group / "cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  if (quota_file >> quota && period_file >> period) keep_smaller(smallest, quota, period);
}

/// Reads the group and all above it. Inside a container the path may not exist; its root does.
template <typename Read>
void read_upwards(const fs::path& mount, std::string_view group, const Read& read, std::optional<double>& smallest) {
  fs::path relative = fs::path(group).relative_path();
  while (true) {
    read(mount / relative, smallest);
    if (relative.empty()) return;
    relative = relative.parent_path();
  }
}

bool lists_cpu(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == "cpu") return true;
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

/// One line of /proc/self/cgroup: "hierarchy:controllers:path"; v2 has no controllers.
void read_membership(const fs::path& mount, std::string_view line, std::optional<double>& smallest) {
  const std::size_t first = line.find(':');
  const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
  if (second == line.npos) return;
  const std::string_view controllers = line.substr(first + 1, second - first - 1);
  const std::string_view group = line.substr(second + 1);
  if (controllers.empty()) {
    read_upwards(mount, group, read_v2, smallest);
  } else if (lists_cpu(controllers)) {
    read_upwards(mount / "cpu", group, read_v1, smallest);
    read_upwards(mount / controllers, group, read_v1, smallest);
  }
}

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

int count_cores() {
  int cores = affinity_cores().value_or(static_cast<int>(std::thread::hardware_concurrency()));
  if (const auto quota = cgroup_cores("/sys/fs/cgroup", read_file("/proc/self/cgroup")))
    cores = std::min(cores, *quota);
  return std::max(cores, 1);
}

}  // namespace

std::optional<int> cgroup_cores(const fs::path& mount, std::string_view membership) {
  std::optional<double> smallest;
  while (!membership.empty()) {
    const std::size_t end = std::min(membership.find('\n'), membership.size());
    read_membership(mount, membership.substr(0, end), smallest);
    membership.remove_prefix(std::min(end + 1, membership.size()));
  }
  if (!smallest) return std::nullopt;
  return std::max(1, static_cast<int>(std::min(std::ceil(*smallest), 1e6)));
}

}  // namespace detail

int available_cores() noexcept {
  try {
    return detail::count_cores();
  } catch (...) {  // no memory to look: one core there is
    return 1;
  }
}

}  // namespace attune
