// A plugin with one fault, which the file fault.cpp that is linked to it names.
#include "tests/plugins/hostile/healthy.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <cfenv>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/plugins/hostile/faults.hpp"

namespace state {  // what two plugins of the same names would share if the linker merged it

inline int& counter() {
  static int count = 0;
  return count;
}
template <typename T>
struct Template {
  static inline int count = 0;
};

}  // namespace state

namespace {

using hostile::Fault;

bool has(Fault fault) { return hostile::fault == fault; }

void segfault() { std::raise(SIGSEGV); }
void fail() { throw std::runtime_error("thrown by execute()"); }
void hang() {
  for (;;) pause();
}

void block_signals() {
  sigset_t interrupts;
  sigemptyset(&interrupts);
  sigaddset(&interrupts, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupts, nullptr);
}

/// As -ffast-math does, and another rounding besides.
void change_rounding() {
  std::fesetround(FE_UPWARD);
#if defined(__SSE2__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // subnormals are 0, as operands and as results
#endif
}

void at_load() {
  if (has(Fault::aborts_at_load)) std::abort();
  if (has(Fault::exits_at_load)) std::exit(0);
  if (has(Fault::segfaults_in_static)) segfault();
  if (has(Fault::throws_in_static)) throw std::runtime_error("thrown by a static initialiser");
  if (has(Fault::hangs_at_load)) hang();
  if (has(Fault::leaks_threads)) std::thread(hang).detach();
  const pid_t loader = getpid();
  if (has(Fault::forks_at_load) && fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);   // a test leaves nothing behind
    if (getppid() != loader) _exit(0);  // nor where it has ended by now
    hang();
  }
  if (has(Fault::segfaults_beside_a_fork) && fork() != 0) segfault();
  if (has(Fault::segfaults_beside_a_fork)) sleep(120);  // with the probe's pipe in its hands
  if (has(Fault::changes_folder) && chdir("/") != 0) std::abort();
  if (has(Fault::changes_locale) && std::setlocale(LC_ALL, "C.UTF-8") == nullptr) std::abort();
  if (has(Fault::closes_stdin)) close(STDIN_FILENO);
  if (has(Fault::catches_signals)) std::signal(SIGINT, [](int) {});
  if (has(Fault::blocks_signals)) block_signals();
  if (has(Fault::changes_rounding)) change_rounding();
  if (has(Fault::prints_a_megabyte)) std::fputs(std::string(1 << 20, 'x').c_str(), stdout);
}

[[maybe_unused]] const int loaded = (at_load(), 0);

struct AtExit {
  ~AtExit() {
    if (has(Fault::segfaults_at_exit)) segfault();
  }
};
const AtExit at_exit;

class HostilePlan final : public HealthyPlan {
 public:
  using HealthyPlan::HealthyPlan;
  ~HostilePlan() override {
    if (has(Fault::segfaults_at_destroy)) segfault();
  }

  attune::Status execute(const attune::Arguments& a, std::span<std::byte> workspace,
                         attune::Executor& executor) const noexcept override {
    if (has(Fault::segfaults_in_execute)) segfault();
    if (has(Fault::hangs_in_execute)) hang();
    if (has(Fault::throws_in_execute)) fail();
    if (has(Fault::exits_in_execute)) std::exit(0);
    if (has(Fault::writes_nothing)) return attune::Status::ok;
    if (has(Fault::changes_rounding)) {
      change_rounding();
      const auto task = [](std::int64_t, int) noexcept { change_rounding(); };
      executor.parallel_for(8, task);
    }
    const attune::Status status = HealthyPlan::execute(a, workspace, executor);
    float* out = a.out.as<float>();
    const std::int64_t rows = a.out.shape[2];
    if (has(Fault::writes_past_output)) out[a.out.shape[0] * a.out.shape[1] * rows * a.value_dim] = 1;
    if (has(Fault::writes_past_workspace)) workspace.data()[workspace.size()] = std::byte{1};
    const bool large = rows > 8 && a.value_dim > 0 && a.heads > 0 && a.members > 0;
    if (has(Fault::wrong_row) && large) out[7 * a.out.strides[2]] += 1;
    return status;
  }

  std::string describe(const attune::Extents&, int) const override {
    if (has(Fault::segfaults_in_describe)) segfault();
    return std::to_string(++state::counter()) + " and " + std::to_string(++state::Template<int>::count);
  }
};

class Hostile final : public Healthy {
 public:
  Hostile() {
    if (has(Fault::throws_at_query)) throw std::runtime_error("thrown by the constructor");
    if (has(Fault::segfaults_at_query)) segfault();
  }

  std::string_view name() const noexcept override {
    if (has(Fault::builtin_name)) return "tiled";
    if (has(Fault::bad_name)) return "Bad\nname \xff";
    if (has(Fault::twin_a) || has(Fault::twin_b)) return "twin";
    return hostile::name;
  }

  bool supports(const attune::Problem& problem, const attune::Extents& extents, std::string* reason) const override {
    if (has(Fault::segfaults_in_supports)) segfault();
    if (has(Fault::hangs_in_supports)) hang();
    if (has(Fault::changes_rounding)) change_rounding();
    if (has(Fault::throws_in_supports)) throw std::runtime_error("thrown by supports()");
    if (has(Fault::claims_nothing)) return attune::refuse(reason, "it takes nothing");
    return Healthy::supports(problem, extents, reason);
  }

  double estimate(const attune::Problem& problem, const attune::Extents& extents, const attune::Machine& machine,
                  int threads) const noexcept override {
    if (has(Fault::segfaults_in_estimate)) segfault();
    return Healthy::estimate(problem, extents, machine, threads);
  }

  std::shared_ptr<const attune::Plan> plan(const attune::Problem& problem, const attune::Machine&) const override {
    if (has(Fault::segfaults_in_plan)) segfault();
    if (has(Fault::changes_rounding)) change_rounding();
    if (has(Fault::throws_in_plan)) throw std::runtime_error("thrown by plan()");
    if (has(Fault::no_plan)) return nullptr;
    return std::make_shared<HostilePlan>(problem);
  }
};

/// The ABI itself, spoiled: what the C++ side would never answer.
void spoil(attune_plugin& table) {
  if (has(Fault::wrong_magic)) table.head.magic ^= 1;
  if (has(Fault::size_zero)) table.head.struct_size = 0;
  if (has(Fault::size_small)) table.head.struct_size = attune_plugin_size_1_0 - 8;
  if (has(Fault::size_odd)) table.head.struct_size += 1;
  if (has(Fault::size_huge)) table.head.struct_size = 0xfffffff8u;
  if (has(Fault::version_new)) table.head.abi_major = ATTUNE_ABI_MAJOR + 1;
  if (has(Fault::version_old)) table.head.abi_major = ATTUNE_ABI_MAJOR - 1;
  if (has(Fault::null_name)) table.name = nullptr;
  if (has(Fault::null_supports)) table.supports = nullptr;
  if (has(Fault::null_estimate)) table.estimate = nullptr;
  if (has(Fault::null_plan_create)) table.plan_create = nullptr;
  if (has(Fault::null_plan_destroy)) table.plan_destroy = nullptr;
  if (has(Fault::null_workspace_bytes)) table.workspace_bytes = nullptr;
  if (has(Fault::null_execute)) table.execute = nullptr;
  if (has(Fault::null_describe)) table.describe = nullptr;
  if (has(Fault::garbage_supports)) {
    table.supports = [](void*, const attune_problem*, const attune_extents*, char*, std::uint64_t) { return 42; };
  }
  if (has(Fault::endless_text)) {
    table.supports = [](void*, const attune_problem*, const attune_extents*, char* text, std::uint64_t bytes) {
      if (bytes > 0) std::memset(text, '\n', bytes);
      return 0;
    };
  }
  if (has(Fault::garbage_estimate)) {
    table.estimate = [](void*, const attune_problem*, const attune_extents*, const attune_machine*, std::int32_t) {
      return std::numeric_limits<double>::quiet_NaN();
    };
  }
  if (has(Fault::garbage_workspace)) {
    table.workspace_bytes = [](void*, const attune_extents*, std::int32_t) { return ~std::uint64_t{0}; };
  }
  if (has(Fault::garbage_status)) {
    table.execute = [](void*, const attune_arguments*, void*, std::uint64_t, const attune_executor*) { return -77; };
  }
}

}  // namespace

attune_host attune_plugin_host_services{};

extern "C" __attribute__((visibility("default"))) const attune_plugin* attune_plugin_query(const attune_host* host,
                                                                                           char* text,
                                                                                           std::uint64_t bytes) {
  if (has(Fault::throws_through_query)) throw std::runtime_error("thrown through the border");
  const attune_plugin* good = attune::plugin::Shim<Hostile>::query(host, text, bytes);
  if (good == nullptr || has(Fault::null_answer)) return nullptr;
  static attune_plugin spoiled;
  spoiled = *good;
  spoil(spoiled);
  return &spoiled;
}
