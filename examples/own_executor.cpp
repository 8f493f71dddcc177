// A host program with threads of its own hands them in: Attune starts none.
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include <attune/attune.hpp>

namespace {

/// The simplest executor there is. A real one would keep its threads; what matters is the contract: every item once,
/// and never two invocations at the same time with the same worker number.
class HostExecutor final : public attune::Executor {
 public:
  int num_threads() const noexcept override { return 2; }
  void parallel_for(std::int64_t items, attune::Task task) noexcept override {
    std::atomic<std::int64_t> next{0};
    const auto work = [&](int worker) {
      for (std::int64_t item = next++; item < items; item = next++) task(item, worker);
    };
    std::thread other(work, 1);
    work(0);
    other.join();
  }
};

}  // namespace

int main() {
  const auto layout = attune::bhsd(1, 8, 512, 64);
  std::vector<float> q(8 * 512 * 64, 0.1f), k(q), v(q), out(q.size());
  const attune::Tensors tensors{attune::view(q.data(), layout), attune::view(k.data(), layout),
                                attune::view(v.data(), layout), attune::view(out.data(), layout)};
  HostExecutor executor;
  attune::default_engine().attention(tensors, {}, &executor);
  std::printf("out[0] = %.3f\n", static_cast<double>(out[0]));
}
