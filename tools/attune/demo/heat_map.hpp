// Attention weights as a picture made of text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace attune::tool {

/// Weights of one head, [query][key], with the words along both axes.
struct HeatMap {
  std::vector<std::string> words;
  std::vector<float> weights;  // words.size() squared, in 0 … 1

  float at(std::size_t query, std::size_t key) const { return weights[query * words.size() + key]; }
};

/// One line per query, three columns per key, the keys' words written downwards. With colour, cells are shaded by their
/// background; without, by block characters. Numbers are per cent, empty below half a per cent.
std::string draw(const HeatMap& map, bool colour);

}  // namespace attune::tool
