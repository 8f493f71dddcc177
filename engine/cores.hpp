// How many cores a cgroup's CPU quota leaves to this process.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace attune::detail {

/// Cores of CPU time that the process may use, rounded up; nothing where no quota is set. `mount` is where
/// cgroups are mounted (/sys/fs/cgroup), `membership` the text of /proc/self/cgroup. Knows v1 and v2; the
/// tightest quota from the process's own group up to the root counts.
std::optional<int> cgroup_cores(const std::filesystem::path& mount, std::string_view membership);

}  // namespace attune::detail
