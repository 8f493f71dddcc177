// What `attune tune` prints.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <attune/engine.hpp>

namespace attune::tool {

struct Tuned {
  std::string problem;  // in words
  std::string pinned;   // what was forced; empty: nothing
  TuneResult result;
};

/// Of the column that names their backends.
std::size_t backend_width(const std::vector<Measurement>& measurements);

void print_tuned(const Tuned& tuned);
void print_tuned_json(const Engine& engine, const std::vector<Tuned>& all, bool interrupted);

}  // namespace attune::tool
