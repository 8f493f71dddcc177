// The built-in tiled as a plugin: whatever crosses the border of the ABI, its results must be the same bits.
#include <attune/plugin.hpp>

#include "backends/tiled/tiled.hpp"

namespace {

class ExportedTiled final : public attune::Backend {
 public:
  std::string_view name() const noexcept override { return "exported_tiled"; }
  std::string_view description() const noexcept override { return tiled_->description(); }
  std::vector<attune::Isa> instruction_sets() const override { return tiled_->instruction_sets(); }
  bool parallel() const noexcept override { return tiled_->parallel(); }
  attune::TraitSet traits() const noexcept override { return tiled_->traits(); }
  bool supports(const attune::Problem& problem, const attune::Extents& extents, std::string* reason) const override {
    return tiled_->supports(problem, extents, reason);
  }
  double estimate(const attune::Problem& problem, const attune::Extents& extents, const attune::Machine& machine,
                  int threads) const noexcept override {
    return tiled_->estimate(problem, extents, machine, threads);
  }
  std::shared_ptr<const attune::Plan> plan(const attune::Problem& problem,
                                           const attune::Machine& machine) const override {
    return tiled_->plan(problem, machine);
  }

 private:
  std::unique_ptr<attune::Backend> tiled_ = attune::make_tiled();
};

}  // namespace

ATTUNE_PLUGIN(ExportedTiled)
