// Linear attention in a profile: another function than the other variants, beside them for what it costs.
#pragma once

#include <memory>
#include <string>

#include "tools/attune/profile/contestant.hpp"
#include "tools/attune/profile/profile.hpp"
#include "tools/attune/profile/workload.hpp"

namespace attune::tool::profile {

/// Throws Error(unsupported) for a backend other than naive and tiled.
Contestant linear_contestant(const Machine& machine, const std::string& backend, const std::string& isa,
                             std::shared_ptr<Executor> executor, const Tensors& tensors, bool causal);

/// Rows of the right result by naive linear attention, each from the keys that it sees.
Sample linear_sample(const Tensors& tensors, bool causal);

/// Of the sums φ(K)ᵀ(V | 1) and of φ(Q) times them.
double linear_flops(const Setting& setting, Lengths lengths);

/// Before there is a point, roughly: naive goes by pairs, tiled by tokens.
double linear_estimate(const Setting& setting, Lengths lengths, const std::string& backend);

}  // namespace attune::tool::profile
