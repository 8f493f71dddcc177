// `attune run --out-dtype`: the result's element type, as far as the library allows.
#include <gtest/gtest.h>

#include <string>

#include "tests/cli/sample.hpp"

namespace attune::test {
namespace {

Outcome run_with(const Sample& sample, const char* dtype) {
  return run_attune(sample.run() + Words{"--out", sample.folder().path("out.safetensors"), "--backend", "naive",
                                         "--out-dtype", dtype});
}

TEST(OutDtype, IsTheQuerysOrF32) {
  for (const DType query : {DType::f32, DType::f16, DType::bf16, DType::f64}) {
    const Sample sample(query);
    for (const DType dtype : {query, DType::f32}) {
      SCOPED_TRACE(std::string(name(query)) + " to " + name(dtype));
      const Outcome outcome = run_with(sample, name(dtype));
      ASSERT_EQ(outcome.status, 0) << outcome.err;
      io::Tensor out = io::make_tensor(dtype, {Sample::batch, Sample::heads, Sample::queries, Sample::value_dim});
      AttentionOptions options;
      options.backend = "naive";
      attention(sample.query().view(), sample.key().view(), sample.value().view(), out.mutable_view(), options);
      expect_same(io::read_tensor(sample.folder().path("out.safetensors")), out);
    }
  }
}

TEST(OutDtype, AnotherIsRefused) {
  const Sample sample;
  for (const char* dtype : {"f16", "bf16", "f64"}) {
    const Outcome outcome = run_with(sample, dtype);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_NE(outcome.err.find(std::string("out: dtype is ") + dtype), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(run_with(sample, "i32").status, 2);
  EXPECT_NE(run_with(sample, "float32").err.find("--out-dtype"), std::string::npos);
}

}  // namespace
}  // namespace attune::test
