// What backends may use of this machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <attune/export.hpp>

namespace attune {

/// The instruction sets that kernels are compiled for. Of one architecture, a later one includes the ones
/// before it.
enum class Isa : std::uint8_t { generic, sse2, avx2, avx512, avx512_bf16, neon };

/// "generic", "sse2", "avx2", "avx512", "avx512_bf16", "neon": the names that ATTUNE_ISA and options take.
constexpr const char* name(Isa isa) noexcept {
  switch (isa) {
    case Isa::generic:
      return "generic";
    case Isa::sse2:
      return "sse2";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512_bf16:
      return "avx512_bf16";
    case Isa::neon:
      return "neon";
  }
  return "unknown";
}

/// An immutable description, so that planning is a pure function that tests can feed with made-up machines.
struct Machine {
  std::string cpu;                  // the model's name as the system tells it
  std::vector<Isa> isas;            // that this CPU can run and this library holds kernels for, weakest first
  Isa isa = Isa::generic;           // that kernels are to use: the strongest, or the one forced
  std::size_t l1_bytes = 32 << 10;  // per core, data
  std::size_t l2_bytes = 1 << 20;   // per core
  std::size_t l3_bytes = 16 << 20;  // shared
  int cores = 1;                    // that this process may use: affinity mask and cgroup quota counted in

  /// This machine. `isa` is the strongest available.
  ATTUNE_API static Machine detect();
};

}  // namespace attune
