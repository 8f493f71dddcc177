// What the system tells of the CPU: its name and its caches.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>

namespace attune::detail {

/// From the text of /proc/cpuinfo: the model's name, which x86 tells, or else the numbers that ARM gives in its place
/// ("implementer 0x41, part 0xd0c"), or "unknown".
std::string cpu_name(std::istream& cpuinfo);

/// Bytes of a CPU's data cache of that level, from its folder in sysfs (/sys/devices/system/cpu/cpu0/cache); nothing
/// where it does not say.
std::optional<std::size_t> cache_bytes(const std::filesystem::path& folder, int level);

}  // namespace attune::detail
