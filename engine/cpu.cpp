#include "engine/cpu.hpp"

#include <fstream>
#include <istream>

namespace attune::detail {
namespace {

/// The text behind "key  : " if the line begins with that key.
std::optional<std::string> value_of(const std::string& line, const char* key) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || line.rfind(key, 0) != 0) return std::nullopt;
  const std::size_t start = line.find_first_not_of(" \t", colon + 1);
  if (start == std::string::npos) return std::nullopt;
  return line.substr(start);
}

std::string first_word(const std::filesystem::path& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

}  // namespace

std::string cpu_name(std::istream& cpuinfo) {
  std::string implementer, part;
  for (std::string line; std::getline(cpuinfo, line);) {
    if (const auto name = value_of(line, "model name")) return *name;
    if (const auto number = value_of(line, "CPU implementer")) implementer = *number;
    if (const auto number = value_of(line, "CPU part")) part = *number;
  }
  if (implementer.empty() || part.empty()) return "unknown";
  return "implementer " + implementer + ", part " + part;
}

std::optional<std::size_t> cache_bytes(const std::filesystem::path& folder, int level) {
  for (int index = 0; index < 16; ++index) {
    const std::filesystem::path cache = folder / ("index" + std::to_string(index));
    if (first_word(cache / "level") != std::to_string(level)) continue;
    if (first_word(cache / "type") == "Instruction") continue;
    std::ifstream file(cache / "size");
    std::size_t size = 0;
    if (!(file >> size)) return std::nullopt;
    const int unit = file.get();
    return size << (unit == 'M' ? 20 : unit == 'K' ? 10 : 0);
  }
  return std::nullopt;
}

}  // namespace attune::detail
