// Any call is either refused, and then nothing is written, or computed, and then nothing is written but its outputs;
// and small finite numbers come out of every backend alike. Reads and writes outside of a tensor end the process by the
// sanitizer: the memory behind each is exactly what its layout reaches.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include <attune/engine.hpp>

#include "tests/fuzz/one_line.hpp"
#include "tests/fuzz/random_call.hpp"

using namespace attune;

namespace {

struct AlignedDelete {
  void operator()(std::byte* memory) const noexcept {
    ::operator delete(memory, std::align_val_t{workspace_alignment});
  }
};

void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

std::vector<double> run(Engine& engine, fuzz::RandomCall& call) {
  InlineExecutor executor;
  const auto [problem, extents] = describe(call.tensors(), call.options());
  const AttentionOptions& options = call.options();
  const Selection selection{options.backend, options.isa, options.reproducible};
  const Call bound = engine.plan(problem, extents, 1, selection)->bind(call.tensors(), options);
  if (!call.backed()) return {};  // sound, and somewhere in the address space; not in our memory
  const std::size_t bytes = bound.workspace_bytes(1);
  const std::unique_ptr<std::byte, AlignedDelete> workspace(
      static_cast<std::byte*>(::operator new(bytes, std::align_val_t{workspace_alignment})));
  std::fill_n(workspace.get(), bytes, std::byte{0xff});
  require(bound.run({workspace.get(), bytes}, executor) == Status::ok, "run() computes what bind() took");
  require(call.gaps_untouched(), "nothing is written between the elements of an output");
  return call.results();
}

/// Of numbers within ±1: at most 40 products, scores of at most 2 · 40 or the softcap, ±1 of a mask and a slope of at
/// most 1 times a distance of some 700 keys. With errors of 8·ε_f32 for each unit of score (as the conformance suite
/// derives them; here are only bounds) that is 2⁻¹⁰; weights rounded to bf16, and outputs to their dtype twice, come
/// on top.
double tolerance(const Tensors& tensors) {
  const double weights = tensors.value.dtype == DType::bf16 ? 0x1p-8 : 0;
  const double output = tensors.out.dtype == DType::bf16 ? 0x1p-8 : tensors.out.dtype == DType::f16 ? 0x1p-11 : 0;
  return 0x1p-10 + weights + output;
}

void require_agreement(const std::vector<double>& a, const std::vector<double>& b, double allowed) {
  require(a.size() == b.size(), "the same elements");
  for (std::size_t i = 0; i < a.size(); ++i)
    require(a[i] == b[i] || std::abs(a[i] - b[i]) <= allowed * std::max(1.0, std::abs(b[i])), "backends agree");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Engine engine{Engine::Config{}};
  FuzzedDataProvider bytes(data, size);
  fuzz::RandomCall call(bytes);
  if (!call.indices_backed()) return 0;
  call.paint_outputs();
  try {
    const std::vector<double> result = run(engine, call);
    if (!call.tame()) return 0;
    call.set_backend("naive");
    require_agreement(result, run(engine, call), tolerance(call.tensors()));
  } catch (const Error& error) {
    fuzz::require_one_line(error);
    require(call.outputs_untouched(), "a refused call writes nothing");
    require(!call.tame() || error.code() == ErrorCode::unsupported, error.what());
  }
  return 0;
}
