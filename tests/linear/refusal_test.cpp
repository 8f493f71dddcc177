// What linear attention refuses names the argument, and nothing has been written then.
#include <gtest/gtest.h>

#include "tests/linear/linear_case.hpp"

namespace attune::test {
namespace {

struct Call {
  LinearCase c{{1, 4, 2, 6, 6, 8, 8, false}};
  std::vector<float> out_data = std::vector<float>(4 * 6 * 8, 77.0f);
  TensorView q = c.q(), k = c.k(), v = c.v();
  MutableTensorView out = view(out_data.data(), c.out_layout());
  LinearAttentionOptions options;

  void expect_refused(ErrorCode code, const std::string& words) {
    try {
      linear_attention(q, k, v, out, options);
      FAIL() << "accepted, not refused with: " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
    EXPECT_EQ(out_data, std::vector<float>(out_data.size(), 77.0f)) << words;
  }
};

TEST(LinearRefusal, Shapes) {
  Call heads;
  heads.k.shape[1] = heads.v.shape[1] = 3;
  heads.expect_refused(ErrorCode::invalid_argument, "key");
  Call dim;
  dim.k.shape[3] = 7;
  dim.expect_refused(ErrorCode::invalid_argument, "key");
  Call rank;
  rank.q.rank = 3;
  rank.expect_refused(ErrorCode::invalid_argument, "query");
}

TEST(LinearRefusal, CausalWithOtherThanAsManyKeysAsQueries) {
  Call call;
  call.k.shape[2] = call.v.shape[2] = 5;
  call.options.causal = true;
  call.expect_refused(ErrorCode::invalid_argument, "6 queries and 5 keys");
}

TEST(LinearRefusal, Memory) {
  Call null;
  null.v.data = nullptr;
  null.expect_refused(ErrorCode::invalid_argument, "value");
  Call overlap;
  overlap.out.data = const_cast<void*>(overlap.q.data);
  overlap.expect_refused(ErrorCode::invalid_argument, "out");
}

TEST(LinearRefusal, States) {
  const auto refuse = [](auto change, const std::string& words) {
    Call call;
    std::vector<float> state(call.c.state);
    MutableTensorView tensor = view(state.data(), call.c.state_layout());
    change(tensor, call);
    call.options.state = tensor;
    call.expect_refused(ErrorCode::invalid_argument, words);
    EXPECT_EQ(state, call.c.state);
  };
  refuse([](MutableTensorView& s, Call&) { s.shape[3] = 8; }, "state");
  refuse([](MutableTensorView& s, Call&) { s.shape[1] = 4; }, "state");
  refuse([](MutableTensorView& s, Call&) { s.rank = 3; }, "state");
  refuse([](MutableTensorView& s, Call&) { s.dtype = DType::f16; }, "state");
  refuse([](MutableTensorView& s, Call&) { s.data = nullptr; }, "state");
  refuse([](MutableTensorView& s, Call&) { s.strides[2] = 0; }, "state");
  refuse([](MutableTensorView& s, Call& call) { s.data = const_cast<void*>(call.k.data); }, "overlaps key");
}

TEST(LinearRefusal, BackendsAndInstructionSets) {
  Call unknown;
  unknown.options.backend = "simd";
  unknown.expect_refused(ErrorCode::invalid_argument, "naive, tiled");
  Call isa;
  isa.options.isa = "mmx";
  isa.expect_refused(ErrorCode::invalid_argument, "mmx");
  const double x[] = {1};
  double out[] = {77};
  const TensorLayout layout = bhsd(1, 1, 1, 1);
  EXPECT_THROW(
      linear_attention(view(x, layout), view(x, layout), view(x, layout), view(out, layout), {.backend = "tiled"}),
      Error);
  EXPECT_EQ(out[0], 77);
}

}  // namespace
}  // namespace attune::test
