// The variants that may compute a request.
#pragma once

#include <string>
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

  Variant variant() const;
};

/// "tiled, avx2, 2 threads"
std::string to_text(const Variant& variant);

/// Every backend that takes the request, times the instruction sets that it and this machine have (or the forced one),
/// times 1, 2, 4 … and all threads where it uses several. The first is what would be chosen without wisdom.
/// Throws as pick().
std::vector<TuneCandidate> candidates_of(const Registry& registry, const Machines& machines, const Request& request);

}  // namespace attune::detail
