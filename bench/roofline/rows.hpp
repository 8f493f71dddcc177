// What the roofline measures: shapes, the limit of the machine that each is held against, and the share of it that it
// is to reach.
#pragma once

#include <string>
#include <vector>

#include <attune/machine.hpp>

#include "bench/workload.hpp"

namespace attune::bench {

enum class Limit : std::uint8_t {
  multiply_add,  // f32 multiply-adds of the instruction set
  bf16_pairs,    // its products of bf16 pairs
  read,          // reading keys and values once
  slower,        // the slower of reading them and of the arithmetic in the dtype's products
  dispatch,      // no share: what attention() takes beyond the kernel, in microseconds
};

/// Shares that a row is to reach; 0 where none is set. Of Limit::dispatch: microseconds at most, of any thread count.
struct Floors {
  double one = 0;      // on one thread
  double all = 0;      // on all threads
  double scaling = 0;  // all threads over one, over the same ratio of the limits
};

struct Row {
  std::string group;  // a heading of the table
  Shape shape;
  Isa isa = Isa::generic;  // of the kernels and of the limit
  Limit limit = Limit::multiply_add;
  Floors floors;

  /// "f32/S512 D64": what --filter looks at and what --json names.
  std::string name() const { return group + "/" + shape.name; }
};

/// The table for this machine, with kernels of its best instruction set (and some rows of weaker ones), or with those
/// of the one that is forced.
std::vector<Row> rows(const Machine& machine, Isa isa, bool forced);

}  // namespace attune::bench
