// Engine::select and Engine::explain: the choice, its reasons, and what the chosen backend is going to do.
#include <string>

#include "engine/engine_state.hpp"

namespace attune {

using namespace detail;

namespace {

double all_pairs(const Problem& problem, const Extents& extents) noexcept {
  Problem unmasked = problem;
  unmasked.causal = false;
  unmasked.window_left = unmasked.window_right = -1;
  return attended_pairs(unmasked, extents);
}

}  // namespace

double Explanation::skipped_share() const noexcept { return pairs > 0 ? 1 - attended / pairs : 0; }

Choice Engine::select(const Problem& problem, const Extents& extents, int threads, const Selection& selection) const {
  const auto registry = state_->backends();
  const Request request = state_->request(problem, extents, threads, selection);
  return choice_of(*registry, state_->machines, request, pick(*registry, state_->machines, request));
}

Explanation Engine::explain(const Problem& problem, const Extents& extents, int threads, const Selection& selection) {
  const auto registry = state_->backends();
  const Request request = state_->request(problem, extents, threads, selection);
  const Pick picked = pick(*registry, state_->machines, request);
  const auto plan = state_->plan_of(request, picked);
  Explanation result;
  result.choice = choice_of(*registry, state_->machines, request, picked);
  result.plan = plan->describe(extents, picked.threads);
  result.workspace_bytes = plan->workspace_bytes(extents, picked.threads);
  result.pairs = all_pairs(problem, extents);
  result.attended = attended_pairs(problem, extents);
  result.flops = flops(problem, extents);
  return result;
}

}  // namespace attune
