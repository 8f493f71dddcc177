#include "tools/attune/numbers.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <attune/error.hpp>

#include "tools/attune/io/tensor.hpp"

namespace attune::tool {
namespace {

constexpr auto largest = std::numeric_limits<std::int64_t>::max();

[[noreturn]] void refuse(const std::string& option, std::string_view text, const std::string& wanted) {
  throw Error(ErrorCode::invalid_argument, option + ": " + io::in_quotes(text) + " is not " + wanted);
}

template <typename Number>
bool parse_whole(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string range(std::int64_t lowest, std::int64_t highest) {
  std::string words = "a whole number";
  if (lowest > std::numeric_limits<std::int64_t>::min()) words += " of at least " + std::to_string(lowest);
  if (highest < largest) words += " and at most " + std::to_string(highest);
  return words;
}

}  // namespace

std::int64_t parse_integer(const std::string& option, std::string_view text, std::int64_t lowest,
                           std::int64_t highest) {
  std::int64_t number = 0;
  if (!parse_whole(text, number) || number < lowest || number > highest) refuse(option, text, range(lowest, highest));
  return number;
}

double parse_real(const std::string& option, std::string_view text) {
  double number = 0;
  if (!parse_whole(text, number) || !std::isfinite(number)) refuse(option, text, "a finite number");
  return number;
}

std::pair<std::int64_t, std::int64_t> parse_pair(const std::string& option, std::string_view text, const char* names,
                                                 std::int64_t lowest) {
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos) refuse(option, text, std::string(names) + ", two whole numbers");
  return {parse_integer(option, text.substr(0, comma), lowest, largest),
          parse_integer(option, text.substr(comma + 1), lowest, largest)};
}

std::vector<std::int64_t> parse_integers(const std::string& option, std::string_view text, const char* names,
                                         std::int64_t lowest) {
  if (text.empty()) refuse(option, text, std::string(names) + ", whole numbers");
  std::vector<std::int64_t> numbers;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    numbers.push_back(parse_integer(option, text.substr(start, comma - start), lowest, largest));
    start = comma + 1;
  }
  return numbers;
}

}  // namespace attune::tool
