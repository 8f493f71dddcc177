#include "engine/plugins/places.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <system_error>

namespace attune::detail {

std::string folder_of_this_library() {
  Dl_info info{};
  std::string file;
  if (dladdr(reinterpret_cast<const void*>(&folder_of_this_library), &info) != 0 && info.dli_fname != nullptr) {
    file = info.dli_fname;
  }
  if (file.empty() || file[0] != '/') {  // a program is named as it was called
    std::array<char, 4096> path{};
    const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
    file.assign(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  }
  std::error_code error;  // a run path may have led here by way of "bin/../lib"
  const std::string real = std::filesystem::canonical(file, error).string();
  if (!error) file = real;
  return file.substr(0, file.rfind('/') + 1);
}

}  // namespace attune::detail
