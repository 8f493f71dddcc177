// What a backend must be before any number is looked at: reasons for refusals, sane estimates, a plan for what it
// takes.
//
// How to add a case: a function (Session&) that throws Failure, pushed in contract_cases().
#include <algorithm>
#include <cmath>
#include <string>

#include "tests/conformance/suite.hpp"
#include "tests/conformance/toggles.hpp"

namespace attune::conformance {
namespace {

Spec small() {
  Spec spec;
  spec.batch = 2;
  spec.set_heads(4, 4);
  spec.set_sizes(5, 9);
  spec.set_dims(16);
  return spec;
}

/// Calls f(problem, extents, description) for the plain problem and for each option alone.
template <typename Visitor>
void for_each_option(Session& session, Visitor&& visit) {
  std::vector<Spec> specs = {small()};
  for (const Toggle& toggle : toggles()) toggle.apply(specs.emplace_back(small()));
  for (const Spec& spec : specs) {
    const PlacedCall placed(session.draw(spec), {});
    const Description description = attune::describe(placed.tensors(), placed.options());
    visit(description.problem, description.extents, describe(spec));
  }
}

void takes_something(Session& session) {
  std::string reason;
  if (!session.supports(small(), &reason))
    throw Failure("a backend must take plain f32 attention; this one says: " + reason);
}

void refuses_with_reasons(Session& session) {
  const Backend& backend = *session.subject().backend;
  for_each_option(session, [&](const Problem& problem, const Extents& extents, const std::string& what) {
    std::string reason;
    const bool answer = backend.supports(problem, extents, &reason);
    if (answer != backend.supports(problem, extents, nullptr))
      throw Failure("supports() changes its answer when no reason is asked for: " + what);
    if (!answer && reason.empty()) throw Failure("supports() refuses without a reason: " + what);
  });
}

bool has_kernels_for(const Backend& backend, Isa isa) {
  const std::vector<Isa> isas = backend.instruction_sets();
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

void estimates_and_plans(Session& session) {
  const Subject& subject = session.subject();
  for_each_option(session, [&](const Problem& problem, const Extents& extents, const std::string& what) {
    if (!subject.backend->supports(problem, extents, nullptr)) return;
    const double seconds = subject.backend->estimate(problem, extents, subject.machine, 2);
    if (!std::isfinite(seconds) || seconds < 0) throw Failure("estimate() is not a time: " + what);
    const auto plan = subject.backend->plan(problem, subject.machine);
    if (plan == nullptr) throw Failure("plan() returned nothing: " + what);
    if (!(plan->problem() == problem)) throw Failure("the plan is for another problem: " + what);
    if (has_kernels_for(*subject.backend, subject.machine.isa) && plan->isa() != subject.machine.isa)
      throw Failure(std::string("the plan uses ") + attune::name(plan->isa()) + " instead of " +
                    attune::name(subject.machine.isa) + ": " + what);
    if (plan->describe(extents, 2).empty()) throw Failure("the plan does not describe itself: " + what);
  });
}

void has_a_name(Session& session) {
  const Backend& backend = *session.subject().backend;
  if (backend.name().empty() || backend.description().empty()) throw Failure("name or description is empty");
  for (const char c : backend.name())
    if (c >= 'A' && c <= 'Z') throw Failure("the name is to be in lower case");
}

}  // namespace

std::vector<Case> contract_cases() {
  return {{"contract/name", Tier::quick, has_a_name},
          {"contract/takes_something", Tier::quick, takes_something},
          {"contract/refuses_with_reasons", Tier::quick, refuses_with_reasons},
          {"contract/estimates_and_plans", Tier::quick, estimates_and_plans}};
}

}  // namespace attune::conformance
