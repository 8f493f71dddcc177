// The backend "naive": attention in plain loops and double.
#pragma once

#include <memory>

#include <attune/backend.hpp>

namespace attune {

std::unique_ptr<Backend> make_naive();

}  // namespace attune
