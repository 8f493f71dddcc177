// The problems that the laws are tried on: one of every strategy a backend may have, and some options.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/workload.hpp"

namespace attune::conformance {

struct LawSpec {
  std::string name;
  Spec spec;
};

/// Four heads over two, head_dim 24, one batch member.
Spec law_spec(std::int64_t queries, std::int64_t keys);

/// Packed members of few rows, of which 30 go another way than the others where vectors have 16 lanes. Most have keys
/// for two chunks, and there are so many that two threads may take whole heads.
Spec packed_decode();

std::vector<LawSpec> law_specs();
/// Several members of different lengths.
std::vector<LawSpec> batch_specs();

}  // namespace attune::conformance
