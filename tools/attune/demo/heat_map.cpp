#include "tools/attune/demo/heat_map.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace attune::tool {
namespace {

/// Dark blue to yellow in the terminal's 256 colours: steps that differ in brightness, so that they survive colour
/// blindness and black-and-white.
constexpr std::array<int, 8> shades = {17, 18, 54, 90, 126, 166, 208, 220};
constexpr std::array<std::string_view, 5> blocks = {" ", "░", "▒", "▓", "█"};

std::size_t step(double weight, std::size_t steps) {
  // The square root spreads small weights, where most of them are.
  const double position = std::sqrt(std::clamp(weight, 0.0, 1.0)) * static_cast<double>(steps);
  return std::min(static_cast<std::size_t>(position), steps - 1);
}

std::string percent(double weight) {
  const long rounded = std::lround(weight * 100);
  return rounded == 0 ? std::string(" ·") : fmt::format("{:2}", std::min(rounded, 99l));
}

std::string cell(double weight, bool colour) {
  if (!std::isfinite(weight)) return " ? ";
  if (!colour) return fmt::format("{}{}", blocks[step(weight, blocks.size())], percent(weight));
  const std::size_t shade = step(weight, shades.size());
  const int text = shade >= 6 ? 16 : 231;
  return fmt::format("\x1b[48;5;{}m\x1b[38;5;{}m{} \x1b[0m", shades[shade], text, percent(weight));
}

std::size_t longest(const std::vector<std::string>& words) {
  std::size_t length = 0;
  for (const std::string& word : words) length = std::max(length, word.size());
  return length;
}

/// The keys' words from top to bottom, ending at the line above the map.
std::string column_heads(const std::vector<std::string>& words, std::size_t indent) {
  const std::size_t height = longest(words);
  std::string text;
  for (std::size_t line = 0; line < height; ++line) {
    std::string row(indent, ' ');
    for (const std::string& word : words) {
      const std::size_t start = height - word.size();
      row += fmt::format(" {} ", line < start ? ' ' : word[line - start]);
    }
    text += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace

std::string draw(const HeatMap& map, bool colour) {
  const std::size_t width = longest(map.words);
  std::string text = column_heads(map.words, width + 4);
  for (std::size_t query = 0; query < map.words.size(); ++query) {
    text += fmt::format("  {:>{}}  ", map.words[query], width);
    for (std::size_t key = 0; key < map.words.size(); ++key)
      text += cell(static_cast<double>(map.at(query, key)), colour);
    text += "\n";
  }
  return text;
}

}  // namespace attune::tool
