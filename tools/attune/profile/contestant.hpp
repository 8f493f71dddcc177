// Something about to compute one variant at one length, again and again.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <attune/engine.hpp>

namespace attune::tool::profile {

struct Contestant {
  Isa isa = Isa::generic;
  std::shared_ptr<Executor> executor;
  std::optional<double> workspace_bytes{};  // none: it does not tell
  std::function<void()> run;                // throws Error(backend_failed)
};

/// A backend of the engine on softmax attention. The tensors must outlive the result. Throws Error(unsupported) with
/// the backend's reason.
Contestant softmax_contestant(Engine& engine, const std::string& backend, const std::string& isa,
                              std::shared_ptr<Executor> executor, const Tensors& tensors,
                              const AttentionOptions& options);

/// The median time of a few runs, and how far they scatter.
struct Timing {
  double median = 0;
  double spread = 0;  // relative: 1.4826 times the median absolute deviation (the standard deviation, were it normal)
};
Timing timing_of(std::vector<double> seconds);

/// Runs once and returns seconds.
double time_of(const Contestant& contestant);

/// Bytes that the process held at most since the last call, and holds now; zeros where the system does not tell.
struct Resident {
  double peak = 0, now = 0;
};
Resident resident_memory();
void forget_resident_peak();

}  // namespace attune::tool::profile
