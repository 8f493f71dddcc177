// A plugin that another compiler builds, with a C++ runtime of its own in it.
#include <stdexcept>

#include "tests/plugins/hostile/healthy.hpp"

namespace {

constexpr std::int64_t unlucky_dim = 13;

class CrossCompiled final : public Healthy {
 public:
  std::string_view name() const noexcept override { return "cross_compiled"; }
  std::string_view description() const noexcept override {
#ifdef __clang__
    return "built by clang++";
#else
    return "built by g++";
#endif
  }
  std::shared_ptr<const attune::Plan> plan(const attune::Problem& problem,
                                           const attune::Machine& machine) const override {
    if (problem.head_dim == unlucky_dim) throw std::runtime_error("thrown by the other runtime");
    attune::plugin::log("planned across the border");
    return Healthy::plan(problem, machine);
  }
};

}  // namespace

ATTUNE_PLUGIN(CrossCompiled)
