// What this machine is: its CPU's name, its caches, its cores and the instruction sets there are kernels for.
#include <attune/machine.hpp>

#include <unistd.h>

#include <fstream>
#include <string>

#include <attune/executor.hpp>

#include "backends/kernels/instruction_sets.hpp"
#include "engine/cpu.hpp"
#include "engine/machines.hpp"

namespace attune {
namespace {

/// sysfs tells what one CPU has. Where it does not, sysconf may, which counts the L3 of a whole AMD socket (320 MB
/// where a core reaches 32) and answers 0 or −1 where it does not know; else the default stays.
void set_if_known(std::size_t& bytes, int level, int question) {
  if (const auto told = detail::cache_bytes("/sys/devices/system/cpu/cpu0/cache", level))
    bytes = *told;
  else if (const long answer = sysconf(question); answer > 0)
    bytes = static_cast<std::size_t>(answer);
}

/// Weakest first. A library without kernels for this architecture still has its plain backends.
std::vector<Isa> runnable_isas() {
  std::vector<Isa> isas;
  for (const kernels::InstructionSet& set : kernels::instruction_sets()) {
    const std::optional<Isa> isa = detail::parse_isa(set.kernels->name);
    if (isa && set.runnable()) isas.push_back(*isa);
  }
  if (isas.empty()) isas.push_back(Isa::generic);
  return isas;
}

}  // namespace

Machine Machine::detect() {
  Machine machine;
  std::ifstream cpuinfo("/proc/cpuinfo");
  machine.cpu = detail::cpu_name(cpuinfo);
  machine.isas = runnable_isas();
  machine.isa = machine.isas.back();
  set_if_known(machine.l1_bytes, 1, _SC_LEVEL1_DCACHE_SIZE);
  set_if_known(machine.l2_bytes, 2, _SC_LEVEL2_CACHE_SIZE);
  set_if_known(machine.l3_bytes, 3, _SC_LEVEL3_CACHE_SIZE);
  machine.cores = available_cores();
  return machine;
}

}  // namespace attune
