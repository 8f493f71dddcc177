#pragma once

#include <memory>

#include <attune/backend.hpp>

namespace attune {

/// The backend "simd".
std::unique_ptr<Backend> make_simd();

}  // namespace attune
