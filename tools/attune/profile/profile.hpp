// What a profile is: curves of measured points, and the setting they were measured in. What follows from the points
// (exponents, crossovers, limits) is computed from them when it is wanted: see findings.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace attune::tool::profile {

/// How query and key lengths follow from the length n of a point.
enum class Mode : std::uint8_t {
  prefill,  // n queries on n keys
  decode,   // one query on n keys
  cross,    // a fixed number of queries on n keys
};
const char* name(Mode mode) noexcept;

/// Why a point was not measured.
enum class Gap : std::uint8_t {
  none,         // it was
  time,         // it would have taken longer than was left
  memory,       // its tensors would not have fitted
  refused,      // the backend does not take it, or could not finish
  wrong,        // its result was wrong
  interrupted,  // by Ctrl-C
};
const char* name(Gap gap) noexcept;

/// One backend on one variant at one length.
struct Point {
  std::int64_t length = 0;
  double seconds = 0;          // median of the runs
  double spread = 0;           // of the runs, relative to the median: 1.4826 times the median absolute deviation
  int runs = 0;                // that were timed
  double flops = 0;            // of one run: both products over the attended pairs
  double bytes = 0;            // that one run must move at least: query, attended keys and values, out, each once
  double peak = 0;             // FLOP/s of multiply-adds on the same threads: the most that was seen around any runs
  double workspace_bytes = 0;  // scratch memory
  double tensor_bytes = 0;     // query, key, value and out
  double peak_bytes = 0;       // of memory: tensors, workspace and whatever else a run was seen to take
  Gap gap = Gap::none;
  std::string reason;           // with a gap: in words
  double expected_seconds = 0;  // with a gap: what it would take by the points before; 0: not known

  bool measured() const noexcept { return gap == Gap::none; }
  double flops_per_second() const noexcept { return flops / seconds; }
  double share_of_peak() const noexcept { return peak > 0 ? flops_per_second() / peak : 0; }
  double bytes_per_second() const noexcept { return bytes / seconds; }
};

struct Curve {
  std::string variant;
  std::string backend;
  std::string isa;  // empty: no backend took the problem
  int threads = 0;
  std::vector<Point> points;  // by rising length
};

struct Setting {
  std::string version, cpu;
  int cores = 0;
  Mode mode = Mode::prefill;
  std::int64_t batch = 1, heads = 8, kv_heads = 8, head_dim = 64;
  std::int64_t queries = 64;  // of cross-attention
  std::string dtype = "f32";
  double budget_seconds = 0;
  std::optional<double> time_limit;    // seconds
  std::optional<double> memory_limit;  // bytes
};

struct Profile {
  Setting setting;
  std::vector<std::string> variants;  // in the order asked for
  std::vector<Curve> curves;          // by variant, then backend
  double seconds = 0;                 // that the measurement took
  bool interrupted = false;           // by Ctrl-C, before all points
};

}  // namespace attune::tool::profile
