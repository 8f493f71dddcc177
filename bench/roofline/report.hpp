// How a run of the roofline is told: a table for people, line by line as it comes, in plain text or in Markdown; JSON
// for programs.
#pragma once

#include <string>
#include <vector>

#include "bench/roofline/measure.hpp"

namespace attune::bench {

enum class Format : std::uint8_t { text, markdown, json };

class Report {
 public:
  Report(Format format, const Machine& machine, Isa isa, std::vector<MachineLimits> limits);

  void add(const Result& result);

  /// The errors seen, and how many floors are reached; with Format::json, everything.
  void finish() const;

  /// Were all results right?
  bool correct() const;

 private:
  void print_heading() const;
  void print_row(const Result& result) const;
  void print_summary() const;
  void print_json() const;

  Format format_;
  Machine machine_;
  Isa isa_;
  std::vector<MachineLimits> limits_;
  std::vector<Result> results_;
};

}  // namespace attune::bench
