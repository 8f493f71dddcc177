#include "engine/builtins.hpp"

#include "backends/naive/naive.hpp"
#include "backends/simd/simd.hpp"
#include "backends/tiled/tiled.hpp"

namespace attune::detail {

std::vector<std::shared_ptr<const Backend>> make_builtins() {
  std::vector<std::shared_ptr<const Backend>> builtins;
  builtins.push_back(make_naive());
  builtins.push_back(make_simd());
  builtins.push_back(make_tiled());
  return builtins;
}

}  // namespace attune::detail
