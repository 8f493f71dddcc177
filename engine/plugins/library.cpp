#include "engine/plugins/library.hpp"

#include <dlfcn.h>

namespace attune::detail {

std::shared_ptr<const Plugin> open_plugin(const std::string& path, std::string& reason) {
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
  // Stays as long as the plugin, which keeps it to log with.
  const auto* name = new std::string(path.substr(path.rfind('/') + 1));
  auto plugin = std::make_shared<Plugin>();
  reason = query_plugin(query, host_services(name->c_str()), *plugin);
  return reason.empty() ? plugin : nullptr;
}

}  // namespace attune::detail
