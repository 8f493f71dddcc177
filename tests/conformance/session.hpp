// What a case works with: runs workloads on the subject and holds the results against the oracle.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/conformance/compare.hpp"
#include "tests/conformance/failure.hpp"
#include "tests/conformance/placement.hpp"
#include "tests/conformance/random.hpp"
#include "tests/conformance/subject.hpp"
#include "tests/conformance/workload.hpp"
#include "tests/support/executors.hpp"

namespace attune::conformance {

enum class Tier { quick, full };

/// Which executors cases may use: real threads alone (for ThreadSanitizer), or all.
enum class Executors { threads, all };

class Session {
 public:
  Session(const Subject& subject, const Backend& oracle, Tier tier, Executors executors, std::uint64_t seed);

  Tier tier() const { return tier_; }
  Executors executors() const { return executors_; }
  const Subject& subject() const { return subject_; }
  Random& random() { return random_; }

  /// Does the subject take it? Never throws.
  bool supports(const Spec& spec, std::string* reason = nullptr) const;
  /// The spec with lse asked for where the subject can give it: a second look at every row.
  Spec with_lse(Spec spec) const;
  Workload draw(const Spec& spec) { return generate(spec, random_); }

  /// Runs the workload on the subject, between guards. Throws Skipped with the reason of supports(), Failure for
  /// what the guards saw, a status other than ok or an exception.
  Result run(const Workload& workload, const Placement& placement, Executor& executor) const;
  Result run(const Workload& workload, const Placement& placement = {});
  /// Also: no byte of the workspace may be written by two workers in one loop.
  void run_watched(const Workload& workload, int threads) const;

  /// The oracle's result, in f64.
  Result oracle(const Workload& workload) const;

  /// Runs on the subject and compares every row with the oracle.
  void expect_agrees(const Workload& workload, const Placement& placement = {});
  void expect_agrees(const Spec& spec, const Placement& placement = {});
  /// Two results that should be equal but for rounding.
  void expect_equal_but_rounding(const Workload& workload, const Result& expected, const Result& result);

  /// The largest error so far, as a share of its tolerance.
  double worst_share() const { return worst_share_; }
  /// Workloads run on the subject so far.
  int runs() const { return runs_; }

 private:
  Result run_on(const Backend& backend, const Workload& workload, const Placement& placement, Executor& executor) const;
  Executor& next_executor();

  const Subject& subject_;
  const Backend& oracle_;
  Tier tier_;
  Executors executors_;
  Random random_;
  // Runs take turns with these; the threads are started when they are first needed.
  InlineExecutor inline_;
  test::OrderExecutor shuffled_{4, test::Order::shuffled};
  std::unique_ptr<test::ThreadExecutor> threads_;
  double worst_share_ = 0;
  mutable int runs_ = 0;
};

}  // namespace attune::conformance
