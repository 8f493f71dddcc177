// Wisdom as text: JSON, versioned, with the description of the machine that it holds for.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <attune/machine.hpp>

#include "engine/wisdom/table.hpp"

namespace attune::detail {

/// What measured times depend on, besides the problem; versions of plugins stand beside what was measured of them.
struct MachineDescription {
  std::string cpu;
  std::string isas;  // "sse2, avx2"
  int cores = 1;
  std::string library;  // its version

  static MachineDescription of(const Machine& machine);
  bool operator==(const MachineDescription&) const = default;

  /// A name for a file: letters and digits, the same for the same description.
  std::string file_name() const;
};

/// Why a text is no wisdom for this machine.
class Unreadable : public std::runtime_error {
 public:
  enum class Kind { damaged, other_machine, other_version };
  Unreadable(Kind what, const std::string& words) : std::runtime_error(words), kind(what) {}
  Kind kind;
};

/// No text that is longer is looked at.
inline constexpr std::size_t most_wisdom_bytes = 16u << 20;

std::string to_json(const WisdomEntries& entries, const MachineDescription& machine);

/// Throws Unreadable, for whatever reason; never anything else but bad_alloc.
WisdomEntries from_json(std::string_view text, const MachineDescription& machine);

}  // namespace attune::detail
