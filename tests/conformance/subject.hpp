// What is being tested, and what it promises.
#pragma once

#include <memory>

#include <attune/backend.hpp>

namespace attune::conformance {

using attune::Trait;
using attune::TraitSet;

struct Subject {
  std::shared_ptr<const Backend> backend;
  Machine machine;  // with the instruction set to test in `isa`
  TraitSet traits = TraitSet::all();
  std::shared_ptr<const Backend> twin = nullptr;  // if any: every run must give the bits that this one gives
};

}  // namespace attune::conformance
