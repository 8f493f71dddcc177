// oneDNN brings threads of its own. Attune's work runs on the executor that a call passes, so here oneDNN computes on
// the thread that calls it and on no other.
#pragma once

#include <string>

namespace attune::onednn {

/// The OpenMP runtime that oneDNN was linked with. It is asked of oneDNN's own file: another one of the process (the
/// compiler's, a host program's) would count other threads.
struct OpenMp {
  int (*threads)() = nullptr;          // omp_get_max_threads
  void (*set_threads)(int) = nullptr;  // omp_set_num_threads; of the calling thread's loops alone

  static OpenMp of_onednn() noexcept;
};

/// Why oneDNN's threads cannot be held back; empty if they can, or if there are none.
std::string why_threads_cannot_be_set(const OpenMp& openmp);

/// While it lives, oneDNN works on the calling thread alone.
class OneThread {
 public:
  explicit OneThread(const OpenMp& openmp) noexcept : openmp_(openmp) {
    if (openmp_.set_threads == nullptr) return;
    before_ = openmp_.threads();
    openmp_.set_threads(1);
  }
  ~OneThread() {
    if (openmp_.set_threads != nullptr) openmp_.set_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const OpenMp& openmp_;
  int before_ = 1;
};

}  // namespace attune::onednn
