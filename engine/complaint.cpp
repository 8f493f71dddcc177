#include "engine/complaint.hpp"

#include <span>

namespace attune::detail {
namespace {

std::string bracketed(std::span<const std::int64_t> sizes) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(sizes[axis]);
  }
  return text + "]";
}

}  // namespace

void refuse_argument(std::string_view argument, std::string_view complaint) {
  throw Error(ErrorCode::invalid_argument, std::string(argument) + ": " + std::string(complaint));
}

std::string text_of(std::initializer_list<std::int64_t> sizes) { return bracketed({sizes.begin(), sizes.size()}); }

std::string shape_text(const TensorLayout& layout) {
  return bracketed(std::span(layout.shape).first(static_cast<std::size_t>(layout.rank)));
}

}  // namespace attune::detail
