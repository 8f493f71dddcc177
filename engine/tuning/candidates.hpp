// The variants that may compute a request.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <attune/tuning.hpp>

#include "engine/machines.hpp"
#include "engine/registry.hpp"
#include "engine/select.hpp"

namespace attune::detail {

struct TuneCandidate {
  const RegisteredBackend* entry = nullptr;
  const Machine* machine = nullptr;  // as the backend's plan is to see it
  int threads = 1;
  std::string_view tiling{};  // the backend's; empty: its own choice

  Variant variant() const;
  double estimate(const Request& request) const noexcept;  // in seconds, without the tiling
};

/// "tiled, avx2, 2 threads", "tiled, avx2, 2 threads, small items"
std::string to_text(const Variant& variant);

/// Every backend that takes the request, times the instruction sets that it and this machine have (or the forced one),
/// times 1, 2, 4 … and all threads where it uses several; each in the backend's own tiling. The first is what would be
/// chosen without wisdom, the others follow by their estimates. Throws as pick().
std::vector<TuneCandidate> candidates_of(const Registry& registry, const Machines& machines, const Request& request);

}  // namespace attune::detail
