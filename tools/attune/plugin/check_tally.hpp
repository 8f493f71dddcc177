// What the results come to.
#pragma once

#include <map>
#include <string>

#include "tools/attune/plugin/check_request.hpp"

namespace attune::tool {

class CheckTally {
 public:
  void add(const CheckResult& result);

  int count(conformance::Verdict verdict) const;
  int count(Isa isa, conformance::Verdict verdict) const;
  int cases() const { return cases_; }
  /// FAIL, CRASH and TIMEOUT.
  int faults() const;
  const std::map<std::string, int>& skips() const { return skips_; }

  double worst_share() const { return worst_share_; }
  const std::string& worst_case() const { return worst_case_; }

  /// Empty if the plugin passes.
  std::string why_not() const;

 private:
  std::map<Isa, std::map<conformance::Verdict, int>> counts_;
  std::map<std::string, int> skips_;
  int cases_ = 0;
  double worst_share_ = 0;
  std::string worst_case_;
};

/// Every verdict, in the order of listings.
inline constexpr conformance::Verdict all_verdicts[] = {conformance::Verdict::pass, conformance::Verdict::fail,
                                                        conformance::Verdict::crash, conformance::Verdict::timeout,
                                                        conformance::Verdict::skip};

}  // namespace attune::tool
