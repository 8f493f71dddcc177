#include <attune/engine.hpp>

namespace attune {

const char* version() noexcept { return ATTUNE_VERSION; }

}  // namespace attune
