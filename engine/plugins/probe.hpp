// Trying a plugin in a process of its own, so that nothing it does can hurt this one.
#pragma once

#include <chrono>
#include <string>

#include <attune/machine.hpp>

namespace attune::detail {

/// What came of it.
struct ProbeResult {
  enum class Kind {
    good,       // text: what is remarkable, often nothing
    refused,    // it answered what cannot be used
    crashed,    // it ended the process it was in
    timed_out,  // it was still busy when the time was over
    untried,    // there is no probe program, or it does not start
  };
  Kind kind = Kind::untried;
  std::string text;
};

/// The probe program: what ATTUNE_PLUGIN_PROBE names, else beside the library, else where it was configured to be
/// installed. Empty where there is none; then `reason` says where it was looked for.
std::string find_probe(std::string& reason);

/// Runs the probe on a file, with the instruction sets of the machine.
ProbeResult probe(const std::string& program, const std::string& file, const Machine& machine,
                  std::chrono::milliseconds limit);

}  // namespace attune::detail
