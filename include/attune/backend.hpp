// A backend is one class that computes attention. Built in or loaded, the same class: derive Backend and
// Plan, and add an instance to an Engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <attune/arguments.hpp>
#include <attune/error.hpp>
#include <attune/executor.hpp>
#include <attune/export.hpp>
#include <attune/machine.hpp>
#include <attune/problem.hpp>
#include <attune/traits.hpp>

namespace attune {

enum class Status : std::uint8_t {
  ok,
  failed,             // the backend could not finish; what out holds is undefined
  invalid_workspace,  // the workspace was smaller than workspace_bytes() or not aligned to workspace_alignment
};

inline constexpr std::size_t workspace_alignment = 64;

class Call;

/// How one backend computes one problem on one machine: immutable, shared between threads, valid for as long
/// as someone holds it, whatever happens to the engine that made it.
class ATTUNE_API Plan : public std::enable_shared_from_this<Plan> {
 public:
  explicit Plan(const Problem& problem, Isa isa = Isa::generic) : problem_(problem), isa_(isa) {}
  virtual ~Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const Problem& problem() const noexcept { return problem_; }
  /// The instruction set of its kernels; generic where it has none of its own.
  Isa isa() const noexcept { return isa_; }

  /// Validates the call whole: shapes, dtypes, strides, lengths, aliasing, combinations of options, and that
  /// it is this plan's problem. Throws Error(invalid_argument) naming the argument; writes nothing.
  /// The views in the result are the caller's: they must outlive it. Allocates nothing.
  Call bind(const Tensors& tensors, const AttentionOptions& options) const;

  /// Scratch memory that execute() needs on an executor of that many threads. Its size may depend on
  /// lengths but not on the data.
  virtual std::size_t workspace_bytes(const Extents& extents, int num_threads) const noexcept = 0;

  /// Computes. Const, reentrant, allocates nothing; every item of work uses the scratch of its worker.
  /// The arguments are validated and match problem(); the workspace is large enough and aligned.
  virtual Status execute(const Arguments& arguments, std::span<std::byte> workspace,
                         Executor& executor) const noexcept = 0;

  /// The plan in words for people: tiles, splits, threads.
  virtual std::string describe(const Extents& extents, int num_threads) const = 0;

 private:
  Problem problem_;
  Isa isa_;
};

/// A call that passed validation. Cheap to make and to copy; run() may be called again and again (the
/// tensors' contents may change between runs, their lengths may not).
class ATTUNE_API Call {
 public:
  const Extents& extents() const noexcept { return extents_; }
  const Arguments& arguments() const noexcept { return arguments_; }

  std::size_t workspace_bytes(int num_threads) const noexcept { return plan_->workspace_bytes(extents_, num_threads); }

  /// Computes on the executor. `workspace` holds at least workspace_bytes(executor.num_threads()) bytes,
  /// aligned to workspace_alignment, and is used by one run at a time. Never throws, allocates nothing.
  Status run(std::span<std::byte> workspace, Executor& executor) const noexcept;

 private:
  friend class Plan;
  friend class Engine;
  Call(std::shared_ptr<const Plan> plan, const Extents& extents, const Arguments& arguments)
      : plan_(std::move(plan)), extents_(extents), arguments_(arguments) {}

  std::shared_ptr<const Plan> plan_;
  Extents extents_;
  Arguments arguments_;
};

/// For supports(): writes the reason where one is asked for, and answers no.
inline bool refuse(std::string* reason, std::string_view text) {
  if (reason != nullptr) *reason = text;
  return false;
}

class ATTUNE_API Backend {
 public:
  virtual ~Backend() = default;

  /// Short, lower case, unique in an engine: what ATTUNE_BACKEND and AttentionOptions::backend name.
  virtual std::string_view name() const noexcept = 0;

  /// One line for people: what it is.
  virtual std::string_view description() const noexcept = 0;

  /// Tells builds of it apart whose speed may differ: what was measured of another version is not used. The built-ins
  /// have the library's.
  virtual std::string_view version() const noexcept { return {}; }

  /// The instruction sets it holds kernels for, each a variant that can be forced. Empty: plain code, the
  /// same everywhere.
  virtual std::vector<Isa> instruction_sets() const { return {}; }

  /// Does its work spread over an executor's threads? If not, a call runs on the calling thread alone.
  virtual bool parallel() const noexcept { return false; }

  /// Does it take this problem at these extents? If not and `reason` is not null, says why in words that a
  /// caller can act on. An option that it does not know it must refuse, never ignore. Called on every
  /// choice with reason == nullptr: must then not allocate.
  virtual bool supports(const Problem& problem, const Extents& extents, std::string* reason) const = 0;

  /// Seconds that it expects to take on `threads` threads; only the order between backends matters.
  /// Called only for what supports() takes. Does not allocate.
  virtual double estimate(const Problem& problem, const Extents& extents, const Machine& machine,
                          int threads) const noexcept = 0;

  /// A plan for a problem that supports() takes, for kernels of machine.isa. The result must not refer to
  /// the backend. Throws Error.
  virtual std::shared_ptr<const Plan> plan(const Problem& problem, const Machine& machine) const = 0;

  /// Names of other ways to cut a problem into work than the one that plan() chooses, short and of static storage: each
  /// is a variant that Engine::tune() may find to be faster on this machine. Those of a plugin do not cross its ABI.
  virtual std::span<const std::string_view> tilings() const noexcept { return {}; }

  /// The one of tilings() whose results have the same bits on every machine of an instruction set, for calls that are
  /// to be reproducible; empty where plan()'s own way has.
  virtual std::string_view reproducible_tiling() const noexcept { return {}; }

  /// plan(), cut in one of tilings(), or with an empty name in plan()'s own way. Throws as plan().
  virtual std::shared_ptr<const Plan> plan_as(std::string_view tiling, const Problem& problem,
                                              const Machine& machine) const {
    if (tiling.empty()) return plan(problem, machine);
    throw Error(ErrorCode::invalid_argument, "tiling: \"" + std::string(tiling) + "\" is unknown");
  }

  /// What it promises beyond the right result; what it does not promise is not tested.
  virtual TraitSet traits() const noexcept { return {}; }
};

}  // namespace attune
