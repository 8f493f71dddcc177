// Where this library lies, and what lies beside it.
#pragma once

#include <string>

namespace attune::detail {

/// The folder of the shared library, or of the program where the library is a part of it; empty where the system does
/// not tell. Ends in a slash.
std::string folder_of_this_library();

}  // namespace attune::detail
