// The project that `attune plugin new` writes: the files of the folder scaffold/, which the build puts into the
// program.
#pragma once

#include <string_view>
#include <vector>

namespace attune::tool {

/// The names that the files call the backend by, and the class: to be replaced by those of the new one.
inline constexpr std::string_view scaffold_name = "my_backend";
inline constexpr std::string_view scaffold_class = "MyBackend";

struct ScaffoldFile {
  std::string_view name;
  std::string_view text;
};

std::vector<ScaffoldFile> scaffold();

}  // namespace attune::tool
