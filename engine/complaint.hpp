// How the engine refuses an argument: one form for every message.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <attune/error.hpp>
#include <attune/tensor.hpp>

namespace attune::detail {

/// Throws Error(invalid_argument) with "argument: complaint".
[[noreturn]] void refuse_argument(std::string_view argument, std::string_view complaint);

/// "[2, 12, 512, 64]"
std::string text_of(std::initializer_list<std::int64_t> sizes);
std::string shape_text(const TensorLayout& layout);

}  // namespace attune::detail
