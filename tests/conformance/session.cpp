#include "tests/conformance/session.hpp"

#include <algorithm>
#include <cstring>

#include <attune/error.hpp>

namespace attune::conformance {
namespace {

/// Exactly as large as asked for, an unreadable page at its end, full of NaN.
class Workspace {
 public:
  Workspace(std::size_t bytes, int poison) : buffer_(sane(bytes), test::Edge::end, workspace_alignment) {
    std::memset(buffer_.data(), poison, bytes);
    buffer_.set_name("the workspace");
  }
  std::span<std::byte> bytes() const { return buffer_.bytes(); }
  void expect_intact() const {
    if (!buffer_.intact()) throw Failure("bytes outside of the workspace were written");
  }

 private:
  static std::size_t sane(std::size_t bytes) {
    constexpr std::size_t most = std::size_t{1} << 32;  // the tensors of the largest case are some megabytes
    if (bytes > most) throw Failure("it wants a workspace of " + std::to_string(bytes) + " bytes for a small call");
    return bytes;
  }
  test::GuardedBuffer buffer_;
};

constexpr int all_nan = 0xff;
constexpr int large_numbers = 0x5a;

Call bind(const Backend& backend, const Machine& machine, const PlacedCall& placed) {
  const Description description = attune::describe(placed.tensors(), placed.options());
  std::string reason;
  if (!backend.supports(description.problem, description.extents, &reason))
    throw Skipped(reason.empty() ? "refused without a reason" : reason);
  return backend.plan(description.problem, machine)->bind(placed.tensors(), placed.options());
}

void run_call(const Call& call, std::span<std::byte> workspace, Executor& executor) {
  const Status status = call.run(workspace, executor);
  if (status == Status::failed) throw Failure("run() reported failed");
  if (status == Status::invalid_workspace) throw Failure("run() reported invalid_workspace");
  if (status != Status::ok)
    throw Failure("run() reported a status that does not exist: " + std::to_string(static_cast<int>(status)));
}

/// The same numbers in double precision.
Workload widened(const Workload& workload) {
  Workload wide = workload;
  wide.spec.set_dtype(DType::f64);
  wide.query.dtype = wide.key.dtype = wide.value.dtype = DType::f64;
  if (wide.spec.mask != MaskKind::none && wide.spec.mask != MaskKind::boolean) {
    wide.spec.mask = MaskKind::f64;
    wide.mask.dtype = DType::f64;
  }
  return wide;
}

}  // namespace

Session::Session(const Subject& subject, const Backend& oracle, Tier tier, Executors executors, std::uint64_t seed)
    : subject_(subject), oracle_(oracle), tier_(tier), executors_(executors), random_(seed) {}

bool Session::supports(const Spec& spec, std::string* reason) const {
  Random random(0);
  const PlacedCall placed(generate(spec, random), {});
  const Description description = attune::describe(placed.tensors(), placed.options());
  return subject_.backend->supports(description.problem, description.extents, reason);
}

Spec Session::with_lse(Spec spec) const {
  spec.lse = true;
  spec.lse = supports(spec);
  return spec;
}

Executor& Session::next_executor() {
  const int turn = executors_ == Executors::threads ? 1 : runs_ % 3;
  if (turn == 0) return inline_;
  if (turn == 2) return shuffled_;
  if (threads_ == nullptr) threads_ = std::make_unique<test::ThreadExecutor>(3);
  return *threads_;
}

Result Session::run_on(const Backend& backend, const Workload& workload, const Placement& placement,
                       Executor& executor) const {
  const PlacedCall placed(workload, placement);
  const Call call = bind(backend, subject_.machine, placed);
  const Workspace workspace(call.workspace_bytes(executor.num_threads()), all_nan);
  run_call(call, workspace.bytes(), executor);
  workspace.expect_intact();
  placed.expect_nothing_else_written();
  return placed.result();
}

Result Session::run(const Workload& workload, const Placement& placement, Executor& executor) const {
  try {
    Result result = run_on(*subject_.backend, workload, placement, executor);
    ++runs_;
    if (subject_.twin != nullptr)
      expect_same_bits(run_on(*subject_.twin, workload, placement, executor), result, "against its twin");
    return result;
  } catch (const Error& error) {
    throw Failure(std::string("refused by an exception instead of supports(): ") + error.what() + "; " +
                  describe(workload.spec));
  }
}

Result Session::run(const Workload& workload, const Placement& placement) {
  return run(workload, placement, next_executor());
}

void Session::run_watched(const Workload& workload, int threads) const {
  // A write that leaves a byte as it was is not seen: two fillings leave it no byte to hide behind.
  for (const int poison : {all_nan, large_numbers}) {
    const PlacedCall placed(workload, {});
    const Call call = bind(*subject_.backend, subject_.machine, placed);
    const Workspace workspace(call.workspace_bytes(threads), poison);
    test::WriteWatchExecutor executor(threads, workspace.bytes());
    ++runs_;
    run_call(call, workspace.bytes(), executor);
    if (const auto& conflict = executor.conflict())
      throw Failure("workers " + std::to_string(conflict->first_worker) + " and " +
                    std::to_string(conflict->second_worker) + " both write byte " + std::to_string(conflict->offset) +
                    " of the workspace in one loop; " + describe(workload.spec));
  }
}

Result Session::oracle(const Workload& workload) const {
  const PlacedCall placed(widened(workload), {});
  const Description description = attune::describe(placed.tensors(), placed.options());
  std::string reason;
  if (!oracle_.supports(description.problem, description.extents, &reason))
    throw Failure("the oracle refuses: " + reason + "; " + describe(workload.spec));
  const Call call = oracle_.plan(description.problem, subject_.machine)->bind(placed.tensors(), placed.options());
  const Workspace workspace(call.workspace_bytes(1), all_nan);
  InlineExecutor executor;
  run_call(call, workspace.bytes(), executor);
  return placed.result();
}

void Session::expect_agrees(const Workload& workload, const Placement& placement) {
  const Result result = run(workload, placement);
  const Reference reference = evaluate(workload);
  const Result expected = oracle(workload);
  expect_sound_oracle(workload, reference, expected);
  worst_share_ = std::max(worst_share_, expect_close(workload, reference, expected, result));
  if (!workload.spec.lse) return;
  // What is asked for nothing but its output may be computed another way.
  Workload without = workload;
  without.spec.lse = false;
  expect_close(without, reference, expected, run(without, placement));
}

void Session::expect_agrees(const Spec& spec, const Placement& placement) {
  expect_agrees(draw(with_lse(spec)), placement);
}

void Session::expect_equal_but_rounding(const Workload& workload, const Result& expected, const Result& result) {
  expect_close(workload, evaluate(workload), expected, result, 2);  // either may be off by one tolerance
}

}  // namespace attune::conformance
