// The probe: see README.md. Started by ../probe.cpp.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <attune/plugin_structs.hpp>

#include "engine/plugins/adapter.hpp"
#include "engine/plugins/library.hpp"
#include "engine/plugins/probe/rehearsal.hpp"
#include "engine/plugins/process_state.hpp"

namespace {

constexpr int verdict_descriptor = 3;

/// One line; a plugin that has closed the pipe is not worth a complaint of ours.
void tell(const std::string& word, const std::string& text) {
  const std::string line = word + " " + text + "\n";
  [[maybe_unused]] const ssize_t written = write(verdict_descriptor, line.data(), line.size());
}

void stage(const char* text) { tell("stage", text); }

/// No core files, and no life without the host.
void be_harmless() {
  const rlimit nothing{0, 0};
  setrlimit(RLIMIT_CORE, &nothing);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

attune::Machine machine_of(const char* isas, const char* isa) {
  auto abi = attune::plugin::make<attune_machine>();
  abi.isas = std::strtoull(isas, nullptr, 10);
  abi.isa = static_cast<std::int32_t>(std::strtol(isa, nullptr, 10));
  abi.l1_bytes = 32 << 10, abi.l2_bytes = 1 << 20, abi.l3_bytes = 16 << 20, abi.cores = 1;
  return attune::plugin::from_abi(abi);
}

/// As selection does it: its strongest instruction set that the machine has. False where it has none.
bool choose_isa(const attune::Backend& backend, attune::Machine& machine) {
  const auto isas = backend.instruction_sets();
  if (isas.empty()) return true;
  for (auto isa = machine.isas.rbegin(); isa != machine.isas.rend(); ++isa) {
    if (std::find(isas.begin(), isas.end(), *isa) == isas.end()) continue;
    machine.isa = *isa;
    return true;
  }
  return false;
}

std::string remark() {
  std::error_code error;
  long threads = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", error))
    threads += !entry.path().empty();
  return threads > 1 ? "it keeps threads of its own: " + std::to_string(threads - 1) : "";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  be_harmless();
  stage("while it was loaded");
  const attune::detail::ProcessState before;
  std::string complaint;
  const auto plugin = attune::detail::open_plugin(argv[1], complaint);
  if (plugin != nullptr) complaint = attune::detail::complaint_about_changes(before);
  attune::Machine machine = machine_of(argv[2], argv[3]);
  if (plugin != nullptr && complaint.empty()) {
    const auto backend = attune::detail::adapt(plugin);
    if (choose_isa(*backend, machine)) complaint = attune::detail::rehearse(*backend, machine, stage);
  }
  if (!complaint.empty()) {
    tell("refused", complaint);
    _exit(0);
  }
  tell("good", remark());
  return 0;  // by way of the plugin's own exit handlers, which a host will run some day
}
