// Where memory lies at the moment: nothing tells but the time that a load takes.
#pragma once

namespace attune::tiled {

/// Is the byte at this address in some cache? A guess, good for no more than choosing how to fetch what is around it;
/// false where there is no quick clock that waits for loads (none is known but x86-64's).
bool lies_in_cache(const void* address) noexcept;

}  // namespace attune::tiled
