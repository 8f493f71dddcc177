#pragma once

#include <memory>

#include <attune/backend.hpp>

namespace attune {

/// The backend "tiled".
std::unique_ptr<Backend> make_tiled();

}  // namespace attune
