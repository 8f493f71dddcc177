// Starting the built program.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace attune::test {

using Words = std::vector<std::string>;

struct Outcome {
  int status = -1;  // exit status; −1 if a signal ended it
  std::string out, err;

  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

/// Runs `attune ARGUMENTS…`. Of the environment, what begins with ATTUNE_ is taken away, wisdom is switched off, and
/// `environment` ("NAME=value") is added.
Outcome run_attune(const Words& arguments, const Words& environment = {});

Words operator+(Words words, const Words& more);

}  // namespace attune::test
