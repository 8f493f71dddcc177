// The findings of `attune plugin check` as JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/attune/plugin/check_load.hpp"
#include "tools/attune/plugin/check_run.hpp"
#include "tools/attune/plugin/check_tally.hpp"

namespace attune::tool {

class CheckJson {
 public:
  explicit CheckJson(const CheckRequest& request);

  void add(const LoadFinding& finding);
  void add(const std::vector<CheckVariant>& variants);
  void add(const CheckResult& result);

  /// Writes it where the request wants it. `why_not` says why the plugin does not pass; empty: it does.
  void write(const CheckTally& tally, const std::string& why_not);

 private:
  const CheckRequest& request_;
  nlohmann::ordered_json facts_;
  nlohmann::ordered_json cases_ = nlohmann::ordered_json::array();
};

}  // namespace attune::tool
