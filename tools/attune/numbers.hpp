// Numbers of the command line, strictly: all of the text, finite, in range.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attune::tool {

/// Throws Error(invalid_argument) naming the option and what it takes.
std::int64_t parse_integer(const std::string& option, std::string_view text, std::int64_t lowest, std::int64_t highest);
double parse_real(const std::string& option, std::string_view text);

/// "A,B", each `lowest` or more; `names` are what they are called, for example "LEFT,RIGHT".
std::pair<std::int64_t, std::int64_t> parse_pair(const std::string& option, std::string_view text, const char* names,
                                                 std::int64_t lowest);

/// "A,B,C", each `lowest` or more, at least one; `names` as above.
std::vector<std::int64_t> parse_integers(const std::string& option, std::string_view text, const char* names,
                                         std::int64_t lowest);

}  // namespace attune::tool
