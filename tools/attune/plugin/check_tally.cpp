#include "tools/attune/plugin/check_tally.hpp"

#include <fmt/format.h>

namespace attune::tool {

using conformance::Verdict;

void CheckTally::add(const CheckResult& result) {
  const auto& report = result.report;
  ++cases_;
  ++counts_[result.isa][report.verdict];
  if (report.verdict == Verdict::skip) ++skips_[report.message];
  if (report.worst_share <= worst_share_) return;
  worst_share_ = report.worst_share;
  worst_case_ = report.name;
}

int CheckTally::count(Isa isa, Verdict verdict) const {
  const auto counts = counts_.find(isa);
  if (counts == counts_.end()) return 0;
  const auto count = counts->second.find(verdict);
  return count == counts->second.end() ? 0 : count->second;
}

int CheckTally::count(Verdict verdict) const {
  int sum = 0;
  for (const auto& [isa, counts] : counts_) sum += count(isa, verdict);
  return sum;
}

int CheckTally::faults() const { return count(Verdict::fail) + count(Verdict::crash) + count(Verdict::timeout); }

std::string CheckTally::why_not() const {
  if (faults() > 0) return fmt::format("{} of {} cases found a fault", faults(), cases_);
  if (cases_ == 0) return "this machine can run none of its variants";
  if (count(Verdict::pass) == 0) return "no case passed: a backend that takes nothing does not pass";
  for (const auto& [isa, counts] : counts_) {
    if (count(isa, Verdict::pass) == 0) return fmt::format("no case passed with {}", name(isa));
  }
  return {};
}

}  // namespace attune::tool
