// A stranger's program on the installed package: what crosses the library's border (calls, an executor of the
// program's own, exceptions) works there too.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <limits>
#include <vector>

#include <attune/attune.hpp>

namespace {

class OneByOne final : public attune::Executor {
 public:
  int num_threads() const noexcept override { return 1; }
  void parallel_for(std::int64_t items, attune::Task task) noexcept override {
    for (std::int64_t item = 0; item < items; ++item) task(item, 0);
  }
};

// A query of zeros attends both keys alike, so the output is the mean of the values.
bool attention_gives_the_mean() {
  const std::vector<float> query(4, 0.0F);
  const std::vector<float> key = {1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<float> value = {1, 2, 3, 4, 3, 6, 9, 12};
  std::vector<float> out(4);
  const attune::TensorLayout one_row = attune::bhsd(1, 1, 1, 4);
  const attune::TensorLayout two_rows = attune::bhsd(1, 1, 2, 4);

  attune::Engine engine;
  OneByOne executor;
  engine.attention({attune::view(query.data(), one_row), attune::view(key.data(), two_rows),
                    attune::view(value.data(), two_rows), attune::view(out.data(), one_row)},
                   {}, &executor);

  for (std::size_t i = 0; i < out.size(); ++i) {
    const float mean = (value[i] + value[i + 4]) / 2;
    // Both weights and the sum of two products: a few roundings of relative size epsilon.
    if (!(std::abs(out[i] - mean) <= 8 * std::numeric_limits<float>::epsilon() * mean)) return false;
  }
  return true;
}

bool an_error_can_be_caught() {
  try {
    attune::attention({}, {}, {}, {});
  } catch (const attune::Error& error) {
    std::cout << "refused, as it should be: " << error.what() << '\n';
    return error.code() == attune::ErrorCode::invalid_argument;
  }
  return false;
}

}  // namespace

int main() {
  std::cout << "Attune " << attune::version() << '\n';
  const bool computes = attention_gives_the_mean();
  const bool refuses = an_error_can_be_caught();
  if (!computes) std::cerr << "the output is not the mean of the values\n";
  if (!refuses) std::cerr << "a call without tensors was not refused as invalid_argument\n";
  return computes && refuses ? 0 : 1;
}
