#include "tools/attune/units.hpp"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace attune::tool {
namespace {

struct Unit {
  double factor;
  const char* name;
};

/// In the last unit that leaves at least 1; three digits, without trailing zeros after whole numbers.
template <std::size_t N>
std::string in_units(double quantity, const std::array<Unit, N>& units) {
  const Unit* unit = &units[0];
  for (const Unit& next : units)
    if (quantity >= 0.9995 * next.factor) unit = &next;  // what would be rounded up to it counts too
  const double number = quantity / unit->factor;
  const int digits = number >= 99.95 || number == std::floor(number) ? 0 : number >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", number, digits, unit->name);
}

}  // namespace

std::string duration(double seconds) {
  static constexpr std::array<Unit, 5> units{{{1e-9, "ns"}, {1e-6, "µs"}, {1e-3, "ms"}, {1, "s"}, {60, "min"}}};
  return in_units(seconds, units);
}

std::string size(double bytes) {
  static constexpr std::array<Unit, 5> units{
      {{1, "B"}, {0x1p10, "KB"}, {0x1p20, "MB"}, {0x1p30, "GB"}, {0x1p40, "TB"}}};
  return in_units(bytes, units);
}

std::string sequence_length(std::int64_t length) {
  if (length >= 1024 && length % 1024 == 0) return fmt::format("{}k", length / 1024);
  return std::to_string(length);
}

}  // namespace attune::tool
