// A backend as a plugin: derive attune::Backend, write ATTUNE_PLUGIN(MyBackend) once, build a shared library.
//
//   #include <attune/plugin.hpp>          // before any other header of Attune
//   namespace {
//   class MyBackend final : public attune::Backend { … };
//   }
//   ATTUNE_PLUGIN(MyBackend)
//
// The plugin links nothing of Attune and exports one function; between it and the host lies the C ABI of plugin_abi.h,
// so that compilers and standard libraries may differ. What a plugin may use of Attune's headers is what is inline in
// them: backend.hpp and all that it includes, but for Plan::bind, describe(), hash_value() and Machine::detect(), which
// the host calls, and make_executor() and available_cores(): its work runs on the executor that it is given.
//
// Everything of Attune in a plugin is hidden: two plugins, and a plugin and its host, each have their own copy. For the
// rest of a plugin its build has to see: hidden visibility, and -fno-gnu-unique with g++.
#pragma once

#if defined(ATTUNE_API) && !defined(ATTUNE_PLUGIN_BUILD)
#error "include <attune/plugin.hpp> before every other header of Attune, or compile with -DATTUNE_PLUGIN_BUILD"
#endif
#ifndef ATTUNE_PLUGIN_BUILD
#define ATTUNE_PLUGIN_BUILD
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

// What has no ATTUNE_API of its own would follow the compiler's flags; the headers above follow theirs.
#pragma GCC visibility push(hidden)
#include <attune/backend.hpp>
#include <attune/error.hpp>
#include <attune/plugin_structs.hpp>
extern "C" attune_host attune_plugin_host_services;  // ATTUNE_PLUGIN defines it
#pragma GCC visibility pop

namespace attune::plugin {
namespace {

/// Tells the user something through the host. From any thread, once the plugin has been queried.
[[maybe_unused]] inline void log(const char* text) noexcept {
  const attune_host& host = attune_plugin_host_services;
  if (host.log != nullptr) host.log(host.ctx, text);
}

/// The host's executor, for one execute().
class HostExecutor final : public Executor {
 public:
  explicit HostExecutor(const attune_executor& host) noexcept : host_(host) {}
  int num_threads() const noexcept override { return host_.num_threads; }
  void parallel_for(std::int64_t items, Task task) noexcept override {
    host_.parallel_for(
        host_.ctx, items,
        [](void* arg, std::int64_t item, std::int32_t worker) noexcept { (*static_cast<Task*>(arg))(item, worker); },
        &task);
  }

 private:
  const attune_executor& host_;
};

/// Machines seen so far, so that an estimate allocates nothing once its machine is known. There is one for each
/// instruction set that a host forces.
class MachineList {
 public:
  const Machine& find(const attune_machine& wanted) {
    const std::lock_guard lock(mutex_);
    for (const auto& machine : machines_) {
      if (same(*machine, wanted)) return *machine;
    }
    return *machines_.emplace_back(std::make_unique<const Machine>(from_abi(wanted)));
  }

 private:
  static bool same(const Machine& machine, const attune_machine& wanted) noexcept {
    const attune_machine abi = to_abi(machine);
    return abi.isa == wanted.isa && abi.isas == wanted.isas && abi.cores == wanted.cores &&
           abi.l1_bytes == wanted.l1_bytes && abi.l2_bytes == wanted.l2_bytes && abi.l3_bytes == wanted.l3_bytes &&
           wanted.cpu != nullptr && machine.cpu == wanted.cpu;
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<const Machine>> machines_;
};

/// What the functions below write where a struct cannot be read.
constexpr const char* unreadable = "the host's structs are not those of the plugin ABI, or too small";

/// What went wrong, for the host; nothing ever leaves a function of this file as an exception.
inline void write_exception(char* text, std::uint64_t bytes) noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    write_text(error.what(), text, bytes);
  } catch (...) {
    write_text("threw something that is no std::exception", text, bytes);
  }
}

using PlanHandle = std::shared_ptr<const Plan>;

inline const Plan& plan_of(void* handle) noexcept { return **static_cast<const PlanHandle*>(handle); }

/// The ABI's functions for one class. There is one instance, which lives as long as the process.
template <typename Class>
class Shim {
 public:
  static const attune_plugin* query(const attune_host* host, char* text, std::uint64_t bytes) noexcept try {
    attune_host services;
    if (!read(host, services)) return write_text(unreadable, text, bytes), nullptr;
    if (services.oldest_major > ATTUNE_ABI_MAJOR || services.head.abi_major < ATTUNE_ABI_MAJOR) {
      const std::string range =
          std::to_string(services.oldest_major) + " to " + std::to_string(services.head.abi_major);
      write_text("speaks plugin ABI " + std::to_string(ATTUNE_ABI_MAJOR) + ", the host " + range, text, bytes);
      return nullptr;
    }
    // Of internal linkage like its class, and never destroyed; what the host offers is known before it is made.
    static const Shim* const shim = (attune_plugin_host_services = services, new Shim);
    return &shim->table_;
  } catch (...) {
    write_exception(text, bytes);
    return nullptr;
  }

 private:
  Shim() : name_(backend_.name()), description_(backend_.description()), table_(make<attune_plugin>()) {
    table_.features = ATTUNE_FEATURES_KNOWN;
    table_.traits = backend_.traits().bits();
    table_.isas = isa_bits(backend_.instruction_sets());
    table_.name = name_.c_str();
    table_.description = description_.c_str();
    table_.self = this;
    table_.parallel = backend_.parallel() ? 1 : 0;
    table_.supports = supports;
    table_.estimate = estimate;
    table_.plan_create = plan_create;
    table_.plan_destroy = plan_destroy;
    table_.workspace_bytes = workspace_bytes;
    table_.execute = execute;
    table_.describe = describe;
  }

  static Shim& shim(void* self) noexcept { return *static_cast<Shim*>(self); }

  static std::int32_t supports(void* self, const attune_problem* host_problem, const attune_extents* host_extents,
                               char* text, std::uint64_t bytes) noexcept try {
    attune_problem problem;
    attune_extents extents;
    if (!read(host_problem, problem) || !read(host_extents, extents)) return write_text(unreadable, text, bytes), 0;
    if ((problem.features & ~ATTUNE_FEATURES_KNOWN) != 0) {
      return write_text("a feature that the plugin's header does not know", text, bytes), 0;
    }
    const Class& backend = shim(self).backend_;
    if (text == nullptr || bytes == 0) return backend.supports(from_abi(problem), from_abi(extents), nullptr) ? 1 : 0;
    std::string reason;
    if (backend.supports(from_abi(problem), from_abi(extents), &reason)) return 1;
    return write_text(reason, text, bytes), 0;
  } catch (...) {
    write_exception(text, bytes);
    return 0;
  }

  static double estimate(void* self, const attune_problem* host_problem, const attune_extents* host_extents,
                         const attune_machine* host_machine, std::int32_t threads) noexcept try {
    attune_problem problem;
    attune_extents extents;
    attune_machine machine;
    if (!read(host_problem, problem) || !read(host_extents, extents) || !read(host_machine, machine)) return infinite;
    Shim& own = shim(self);
    return own.backend_.estimate(from_abi(problem), from_abi(extents), own.machines_.find(machine), threads);
  } catch (...) {
    return infinite;
  }

  static std::int32_t plan_create(void* self, const attune_problem* host_problem, const attune_machine* host_machine,
                                  void** plan, char* text, std::uint64_t bytes) noexcept try {
    attune_problem problem;
    attune_machine machine;
    if (plan == nullptr || !read(host_problem, problem) || !read(host_machine, machine)) {
      return write_text(unreadable, text, bytes), attune_failed;
    }
    PlanHandle made = shim(self).backend_.plan(from_abi(problem), from_abi(machine));
    if (!made) return write_text("made no plan", text, bytes), attune_failed;
    *plan = new PlanHandle(std::move(made));
    return attune_ok;
  } catch (const std::bad_alloc&) {
    return attune_out_of_memory;
  } catch (...) {
    write_exception(text, bytes);
    return attune_failed;
  }

  static void plan_destroy(void* plan) noexcept { delete static_cast<PlanHandle*>(plan); }

  static std::uint64_t workspace_bytes(void* plan, const attune_extents* host_extents, std::int32_t threads) noexcept {
    attune_extents extents;
    if (!read(host_extents, extents)) return std::numeric_limits<std::uint64_t>::max();
    return plan_of(plan).workspace_bytes(from_abi(extents), threads);
  }

  static std::int32_t execute(void* plan, const attune_arguments* host_arguments, void* workspace, std::uint64_t bytes,
                              const attune_executor* host_executor) noexcept {
    attune_arguments arguments;
    attune_executor executor;
    if (!read(host_arguments, arguments) || !read(host_executor, executor)) return attune_failed;
    HostExecutor workers(executor);
    const std::span memory(static_cast<std::byte*>(workspace), bytes);
    switch (plan_of(plan).execute(from_abi(arguments), memory, workers)) {
      case Status::ok:
        return attune_ok;
      case Status::invalid_workspace:
        return attune_invalid_workspace;
      case Status::failed:
        break;
    }
    return attune_failed;
  }

  static void describe(void* plan, const attune_extents* host_extents, std::int32_t threads, char* text,
                       std::uint64_t bytes) noexcept try {
    attune_extents extents;
    if (!read(host_extents, extents)) return write_text(unreadable, text, bytes);
    write_text(plan_of(plan).describe(from_abi(extents), threads), text, bytes);
  } catch (...) {
    write_exception(text, bytes);
  }

  static constexpr double infinite = std::numeric_limits<double>::infinity();

  Class backend_;
  std::string name_;
  std::string description_;
  MachineList machines_;
  attune_plugin table_;
};

}  // namespace
}  // namespace attune::plugin

/// Exports a class derived from attune::Backend that can be made without arguments; once in a plugin, outside of every
/// namespace.
#define ATTUNE_PLUGIN(Class)                                                                            \
  attune_host attune_plugin_host_services{};                                                            \
  extern "C" __attribute__((visibility("default"))) const attune_plugin* attune_plugin_query(           \
      const attune_host* host, char* text, std::uint64_t text_bytes) noexcept {                         \
    static_assert(std::is_base_of_v<::attune::Backend, Class>, #Class " derives from attune::Backend"); \
    return ::attune::plugin::Shim<Class>::query(host, text, text_bytes);                                \
  }
