// What every fuzz target asks of an error.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <attune/error.hpp>

namespace attune::fuzz {

/// Errors end on a terminal: one line, and nothing that a terminal obeys.
inline void require_one_line(const Error& error) {
  const std::string_view message = error.what();
  const bool clean = std::none_of(message.begin(), message.end(), [](char letter) {
    return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
  });
  if (!clean || message.empty() || message.size() > 4000) std::abort();
}

}  // namespace attune::fuzz
