#include "engine/aliasing.hpp"

#include <array>
#include <span>
#include <string>

#include "engine/complaint.hpp"
#include "engine/layout.hpp"

namespace attune::detail {
namespace {

struct Named {
  const char* name;
  TensorView tensor;
};

bool given(const Named& named) noexcept { return named.tensor.data != nullptr; }

void check_outputs(std::span<const Named> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& [name, tensor] = outputs[i];
    if (!given(outputs[i])) continue;
    if (overlaps_itself(tensor)) {
      refuse_argument(name,
                      "strides make elements of an output overlap each other; every element needs memory of its own");
    }
    for (const Named& other : outputs.first(i)) {
      if (given(other) && overlap(tensor, other.tensor)) {
        refuse_argument(name, std::string("overlaps ") + other.name + "; outputs need memory of their own");
      }
    }
  }
}

void check_inputs(std::span<const Named> inputs, std::span<const Named> outputs) {
  for (const Named& out : outputs) {
    for (const Named& in : inputs) {
      if (!given(out) || !given(in) || !overlap(out.tensor, in.tensor)) continue;
      refuse_argument(out.name, std::string("overlaps ") + in.name + "; an output may not overlap an input");
    }
  }
}

}  // namespace

void check_aliasing(const Arguments& a) {
  const std::array<Named, 3> outputs{{{"out", a.out}, {"lse", a.lse}, {"weights", a.weights}}};
  const std::array<Named, 11> inputs{{{"query", a.query},
                                      {"key", a.key},
                                      {"value", a.value},
                                      {"attn_mask", a.mask},
                                      {"block_mask", a.block_mask},
                                      {"alibi_slopes", a.alibi_slopes},
                                      {"sinks", a.sinks},
                                      {"key_lengths", a.key_lengths},
                                      {"cu_seqlens_q", a.cu_seqlens_q},
                                      {"cu_seqlens_k", a.cu_seqlens_k},
                                      {"align.offsets", a.align.offsets}}};
  check_outputs(outputs);
  check_inputs(inputs, outputs);
}

}  // namespace attune::detail
