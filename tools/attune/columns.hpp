// Widths of the columns of a table.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string_view>

namespace attune::tool {

/// Room for the text of every item, which `text` gives as a function or a member, and for `least` characters: plugins
/// may have long names.
template <typename Items, typename Text>
std::size_t column_width(const Items& items, Text text, std::size_t least = 12) {
  for (const auto& item : items) least = std::max(least, std::string_view(std::invoke(text, item)).size());
  return least;
}

}  // namespace attune::tool
