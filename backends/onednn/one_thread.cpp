#include "backends/onednn/one_thread.hpp"

#include <dlfcn.h>

#include <oneapi/dnnl/dnnl.h>

namespace attune::onednn {

OpenMp OpenMp::of_onednn() noexcept {
  Dl_info file{};
  if (dladdr(dnnl_version(), &file) == 0) return {};  // its version is a constant in its file
  void* const library = dlopen(file.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return {};
  OpenMp found;
  found.threads = reinterpret_cast<int (*)()>(dlsym(library, "omp_get_max_threads"));
  found.set_threads = reinterpret_cast<void (*)(int)>(dlsym(library, "omp_set_num_threads"));
  dlclose(library);  // only the count of those who hold it: it stays loaded
  return found.threads != nullptr && found.set_threads != nullptr ? found : OpenMp{};
}

std::string why_threads_cannot_be_set(const OpenMp& openmp) {
  switch (dnnl_version()->cpu_runtime) {
    case DNNL_RUNTIME_SEQ:
      return {};
    case DNNL_RUNTIME_OMP:
      return openmp.set_threads != nullptr ? "" : "the OpenMP runtime of this oneDNN has no omp_set_num_threads";
    default:
      return "this oneDNN runs threads that are not OpenMP's, and their number cannot be set for one call";
  }
}

}  // namespace attune::onednn
