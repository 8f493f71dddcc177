// Resident memory of this process.
#pragma once

#include <cstddef>

namespace attune::test {

/// Lowers the recorded peak to what is resident now. False where the system does not let one.
bool reset_peak();

/// Bytes resident now, and at most since reset_peak(). 0 where the system does not tell.
std::size_t resident_now();
std::size_t resident_peak();

}  // namespace attune::test
