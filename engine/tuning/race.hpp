// Many candidates measured in turn: who is worth a second look?
#pragma once

#include <vector>

#include "engine/tuning/budget.hpp"
#include "engine/tuning/runner.hpp"

namespace attune::detail {

/// Samples the runners in turn, each round in another order, and takes out who is clearly slower than the fastest, so
/// that time goes to those that are close. Ends when one is left, when those that are left differ by no more than a
/// challenger needs and noise is small, after `most_rounds`, or with the budget. Answers whether everybody who was not
/// taken out has at least `fewest_rounds`.
bool race(std::vector<Runner*> runners, Budget& budget, int most_rounds);

inline constexpr int fewest_rounds = 3;

}  // namespace attune::detail
