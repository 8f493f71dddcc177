// What this machine is: its CPU's name, its caches, its cores and the instruction sets there are kernels for.
#include <attune/machine.hpp>

#include <unistd.h>

#include <fstream>
#include <string>

#include <attune/executor.hpp>

#include "backends/kernels/instruction_sets.hpp"
#include "engine/machines.hpp"

namespace attune {
namespace {

/// x86 tells "model name"; on other architectures the kernel gives only numbers, and the name stays generic.
std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const std::size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
    if (start != std::string::npos) return line.substr(start);
  }
  return "unknown";
}

/// sysconf answers 0 or −1 where it does not know; then the default stays.
void set_if_known(std::size_t& bytes, int question) {
  const long answer = sysconf(question);
  if (answer > 0) bytes = static_cast<std::size_t>(answer);
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
  machine.cpu = cpu_name();
  machine.isas = runnable_isas();
  machine.isa = machine.isas.back();
  set_if_known(machine.l1_bytes, _SC_LEVEL1_DCACHE_SIZE);
  set_if_known(machine.l2_bytes, _SC_LEVEL2_CACHE_SIZE);
  set_if_known(machine.l3_bytes, _SC_LEVEL3_CACHE_SIZE);
  machine.cores = available_cores();
  return machine;
}

}  // namespace attune
