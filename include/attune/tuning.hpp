// What is measured of backends, and what an engine is told to measure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <attune/machine.hpp>

namespace attune {

/// One way to compute a problem: a backend's kernels for one instruction set, on so many threads.
struct Variant {
  std::string backend;
  Isa isa = Isa::generic;
  int threads = 1;
  std::string tiling{};  // one of Backend::tilings(); empty: the backend's own choice

  bool operator==(const Variant&) const = default;
};

/// How long a variant took on this machine.
struct Measurement {
  Variant variant;
  double seconds = 0;   // of one call, warm: the median of the samples
  double spread = 0;    // in seconds: the median distance of the samples from it (MAD)
  int samples = 0;      // 0: not measured
  std::string verdict;  // what became of it, for people: "the fastest", "slower", "not measured: …"
};

/// Where a tuning stands.
struct TuneProgress {
  std::string doing;  // for people: the variant that is measured next
  double elapsed_seconds = 0;
  double budget_seconds = 0;  // it ends then, or earlier if the order is clear
};

struct TuneOptions {
  int threads = 0;            // of the executor that later calls will use; 0: the engine's own number
  double budget_seconds = 3;  // for measuring, beyond one run of each candidate
  /// Called between measurements; false stops: what was measured until then counts where it suffices.
  std::function<bool(const TuneProgress&)> progress;
};

struct TuneResult {
  Variant winner;
  std::string why;                        // in words
  std::vector<Measurement> measurements;  // the fastest first
  double seconds = 0;                     // that tuning took
  bool learned = false;                   // later calls will use the winner
  std::string note;                       // what kept it from the file of wisdom; empty: nothing
};

/// One entry of wisdom, for people.
struct WisdomRecord {
  std::string problem;  // as to_text() of the largest call that it holds for
  int threads = 1;
  std::string pinned;  // what was forced when it was measured; empty: nothing
  Variant winner;
  std::int64_t measured_at = 0;  // seconds since 1970
  std::vector<Measurement> measurements;
};

}  // namespace attune
