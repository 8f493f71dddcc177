#include "tests/memory/resident.hpp"

#include <fstream>
#include <string>

namespace attune::test {
namespace {

std::size_t field_of_status(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kilobytes = 0;
    if (word == field && status >> kilobytes) return kilobytes << 10;
  }
  return 0;
}

}  // namespace

bool reset_peak() { return static_cast<bool>(std::ofstream("/proc/self/clear_refs") << 5 << std::flush); }

std::size_t resident_now() { return field_of_status("VmRSS:"); }
std::size_t resident_peak() { return field_of_status("VmHWM:"); }

}  // namespace attune::test
