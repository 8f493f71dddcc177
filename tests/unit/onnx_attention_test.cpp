// Every backend against the node tests of the ONNX Attention operator (tests/data/onnx-attention).
//
// Tolerance: both sides are within the derived bound of attune/tolerance.hpp of the exact result, so they
// are within twice the bound of each other, plus half an ulp of each side's type. All inputs of these cases lie in
// [0, 1) apart from masked elements, which bounds the amplitude A and the mass Σ w|v|.
#include <gtest/gtest.h>

#include <attune/engine.hpp>
#include <attune/tolerance.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "tests/unit/onnx_case.hpp"
#include "tests/unit/tensor_values.hpp"

namespace attune {
namespace {

using test::OnnxCase;
using test::values;
using tolerance::half_ulp;

constexpr std::size_t number_of_cases = 76;

std::vector<std::filesystem::path> case_folders() {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(ATTUNE_TEST_DATA "/onnx-attention")) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

/// |scale| · Σ|q k| ≤ |scale| · D, bias below 1, softcap; and the row's maximum is no larger than their sum.
double amplitude(const OnnxCase& c) {
  const auto dim = static_cast<double>(c.query.shape[3]);
  const double scale = c.options.scale.value_or(1 / std::sqrt(dim));
  return 2 * (std::abs(scale) * dim + 1 + c.options.softcap);
}

void expect_close(const io::Tensor& expected, const io::Tensor& actual, double bound) {
  const std::vector<double> wanted = values(expected);
  const std::vector<double> got = values(actual);
  ASSERT_EQ(wanted.size(), got.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double magnitude = std::max(std::abs(wanted[i]), std::abs(got[i]));
    const double tolerance = 2 * bound + half_ulp(expected.dtype, magnitude) + half_ulp(actual.dtype, magnitude);
    ASSERT_LE(std::abs(got[i] - wanted[i]), tolerance) << "element " << i << ": " << got[i] << ", not " << wanted[i];
  }
}

void expect_onnx_results(const OnnxCase& c) {
  const double relative = tolerance::relative_tolerance(c.query.shape[3], amplitude(c));
  const double mass = 1;  // Σ w|v| of values in [0, 1)
  expect_close(c.expected_out, c.out, tolerance::out_tolerance(relative, 0, mass, c.key.shape[2]));
  if (c.weights) expect_close(*c.expected_weights, *c.weights, tolerance::weight_tolerance(relative, 1));
}

/// False where the backend says that it does not take the case; `reason` then tells why.
bool compute(OnnxCase& c, std::string* reason) {
  try {
    default_engine().attention(c.tensors, c.options);
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported) throw;
    *reason = error.what();
    return false;
  }
}

class OnnxAttention : public testing::TestWithParam<const char*> {};

TEST_P(OnnxAttention, GivesTheStoredResults) {
  const std::vector<std::filesystem::path> folders = case_folders();
  ASSERT_EQ(folders.size(), number_of_cases);
  std::size_t computed = 0;
  std::string reason;
  for (const auto& folder : folders) {
    OnnxCase c(folder);
    SCOPED_TRACE(c.name);
    c.options.backend = GetParam();
    if (!compute(c, &reason)) continue;
    ++computed;
    expect_onnx_results(c);
  }
  RecordProperty("computed", static_cast<int>(computed));
  std::cout << GetParam() << ": " << computed << " of " << number_of_cases << " cases; last refusal: " << reason
            << "\n";
  const std::size_t at_least = GetParam() == std::string("naive") ? number_of_cases : 0;  // the oracle takes all
  EXPECT_GE(computed, at_least);
  if (computed == 0) GTEST_SKIP() << reason;
}

INSTANTIATE_TEST_SUITE_P(Backends, OnnxAttention, testing::Values("naive", "simd", "tiled"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace attune
