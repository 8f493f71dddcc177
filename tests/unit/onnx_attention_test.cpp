// Every backend in every instruction set of this machine against the node tests of the ONNX Attention operator
// (tests/data/onnx-attention).
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

struct Variant {
  std::string backend, isa;  // isa empty: it has no kernels
};

void PrintTo(const Variant& variant, std::ostream* stream) { *stream << variant.backend << " " << variant.isa; }

std::vector<Variant> variants() {
  std::vector<Variant> all{{"naive", ""}};
  for (const char* backend : {"simd", "tiled"})
    for (const Isa isa : {Isa::sse2, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::neon})
      all.push_back({backend, name(isa)});
  return all;
}

bool is_available(const std::string& isa) {
  const std::vector<Isa>& isas = default_engine().machine().isas;
  return std::any_of(isas.begin(), isas.end(), [&isa](Isa one) { return isa == name(one); });
}

class OnnxAttention : public testing::TestWithParam<Variant> {};

TEST_P(OnnxAttention, GivesTheStoredResults) {
  const auto& [backend, isa] = GetParam();
  if (!isa.empty() && !is_available(isa)) GTEST_SKIP() << "this machine lacks " << isa;
  const std::vector<std::filesystem::path> folders = case_folders();
  ASSERT_EQ(folders.size(), number_of_cases);
  std::size_t computed = 0;
  std::string reason;
  for (const auto& folder : folders) {
    OnnxCase c(folder);
    SCOPED_TRACE(c.name);
    c.options.backend = backend;
    c.options.isa = isa;
    if (!compute(c, &reason)) continue;
    ++computed;
    expect_onnx_results(c);
  }
  EXPECT_EQ(computed, number_of_cases) << "last refusal: " << reason;
}

INSTANTIATE_TEST_SUITE_P(Variants, OnnxAttention, testing::ValuesIn(variants()), [](const auto& test) {
  return test.param.backend + (test.param.isa.empty() ? "" : "_" + test.param.isa);
});

}  // namespace
}  // namespace attune
