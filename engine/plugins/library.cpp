#include "engine/plugins/library.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstring>

#include "engine/plugins/floating_point.hpp"

namespace attune::detail {
namespace {

const char* file_name(const char* path) noexcept {
  const char* slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

}  // namespace

std::shared_ptr<const Plugin> open_plugin(const std::string& path, std::string& reason) {
  const KeepFloatingPointMode keep;
  // Never closed: threads, exit handlers and thread-locals of the library may outlive every use of it.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    reason = std::string("it cannot be loaded: ") + dlerror();
    return nullptr;
  }
  const auto query = reinterpret_cast<attune_query_function>(dlsym(library, ATTUNE_ABI_QUERY));
  if (query == nullptr) {
    reason = "it is no plugin of Attune: it does not export " ATTUNE_ABI_QUERY;
    return nullptr;
  }
  link_map* loaded = nullptr;  // its name is the dynamic linker's, and stays for as long as the library
  if (dlinfo(library, RTLD_DI_LINKMAP, &loaded) != 0) {
    reason = std::string("it cannot be found again after loading: ") + dlerror();
    return nullptr;
  }
  auto plugin = std::make_shared<Plugin>();
  reason = query_plugin(query, host_services(file_name(loaded->l_name)), *plugin);
  return reason.empty() ? plugin : nullptr;
}

}  // namespace attune::detail
