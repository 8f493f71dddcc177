// merge_states(): two halves of the keys give the whole, and everything around empty rows and aliasing.
#include <gtest/gtest.h>

#include <attune/engine.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/small_call.hpp"

namespace attune {
namespace {

using test::refusal;

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// One partial result of [1, 1, rows, dim] with its memory.
struct Part {
  std::vector<float> out;
  std::vector<float> lse;
  MutableTensorView out_view() {
    const auto rows = static_cast<std::int64_t>(lse.size());
    return view(out.data(), bhsd(1, 1, rows, static_cast<std::int64_t>(out.size()) / rows));
  }
  MutableTensorView lse_view() { return view(lse.data(), contiguous({1, 1, static_cast<std::int64_t>(lse.size())})); }
};

void merge(Part& a, Part& b, Part& result) {
  merge_states(a.out_view(), a.lse_view(), b.out_view(), b.lse_view(), result.out_view(), result.lse_view());
}

TEST(MergeStates, WeighsByTheDenominators) {
  // Denominators 1 and 3: a quarter of the one, three quarters of the other, and ln 4.
  Part a{{8, 0}, {0}};
  Part b{{0, 4}, {std::log(3.0f)}};
  Part result{{0, 0}, {0}};
  merge(a, b, result);
  EXPECT_FLOAT_EQ(result.out[0], 2);
  EXPECT_FLOAT_EQ(result.out[1], 3);
  EXPECT_FLOAT_EQ(result.lse[0], std::log(4.0f));
}

TEST(MergeStates, AnEmptyPartChangesNothingWhateverItHolds) {
  Part a{{1, 2, 3, 4}, {0.3f, minus_infinity}};
  Part b{{not_a_number, not_a_number, 5, 6}, {minus_infinity, -700}};
  Part result{{9, 9, 9, 9}, {9, 9}};
  merge(a, b, result);
  EXPECT_EQ(result.out, (std::vector<float>{1, 2, 5, 6}));
  EXPECT_EQ(result.lse, (std::vector<float>{0.3f, -700}));
}

TEST(MergeStates, TwoEmptyPartsStayEmpty) {
  Part a{{1, 2}, {minus_infinity}};
  Part b{{3, 4}, {minus_infinity}};
  Part result{{9, 9}, {9}};
  merge(a, b, result);
  EXPECT_EQ(result.out, (std::vector<float>{0, 0}));
  EXPECT_EQ(result.lse[0], minus_infinity);
}

TEST(MergeStates, ARowOfNaNStaysNaN) {
  Part a{{1, 2}, {minus_infinity}};
  Part b{{not_a_number, not_a_number}, {not_a_number}};
  Part result{{9, 9}, {9}};
  merge(a, b, result);
  EXPECT_TRUE(std::isnan(result.out[0]) && std::isnan(result.out[1]) && std::isnan(result.lse[0]));
}

TEST(MergeStates, DoesNotOverflow) {
  Part a{{1}, {3e38f}};
  Part b{{3}, {3e38f}};
  Part result{{0}, {0}};
  merge(a, b, result);
  EXPECT_EQ(result.out[0], 2);
  EXPECT_EQ(result.lse[0], 3e38f);
}

TEST(MergeStates, MayBeWrittenOverEitherPart) {
  for (const bool over_a : {true, false}) {
    Part a{{8, 0}, {0}};
    Part b{{0, 4}, {std::log(3.0f)}};
    Part& target = over_a ? a : b;
    merge(a, b, target);
    EXPECT_FLOAT_EQ(target.out[0], 2);
    EXPECT_FLOAT_EQ(target.lse[0], std::log(4.0f));
  }
}

TEST(MergeStates, TakesStridedTensors) {
  Part a{{8, -1, 0, -1}, {0}};  // every other element
  Part b{{0, 4}, {std::log(3.0f)}};
  Part result{{0, 0}, {0}};
  MutableTensorView wide = a.out_view();
  wide.shape[3] = 2;
  wide.strides[3] = 2;
  merge_states(wide, a.lse_view(), b.out_view(), b.lse_view(), result.out_view(), result.lse_view());
  EXPECT_FLOAT_EQ(result.out[0], 2);
  EXPECT_FLOAT_EQ(result.out[1], 3);
}

TEST(MergeStates, JoinsTwoHalvesOfTheKeysToTheWhole) {
  test::SmallCall call;
  for (std::size_t i = 0; i < call.key.size(); ++i) call.key[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < call.value.size(); ++i) call.value[i] = std::cos(static_cast<float>(i));
  call.options.backend = "naive";
  call.options.lse = call.lse_view();
  default_engine().attention(call.tensors, call.options);

  test::SmallCall parts[2];
  for (std::int64_t part = 0; part < 2; ++part) {
    test::SmallCall& own = parts[part];
    Tensors tensors = call.tensors;
    const std::int64_t first = part == 0 ? 0 : 2;
    tensors.key.shape[2] = tensors.value.shape[2] = part == 0 ? 2 : 3;
    tensors.key.data = call.key.data() + first * tensors.key.strides[2];
    tensors.value.data = call.value.data() + first * tensors.value.strides[2];
    tensors.out = own.tensors.out;
    own.options.backend = "naive";
    own.options.lse = own.lse_view();
    default_engine().attention(tensors, own.options);
  }
  merge_states(parts[0].tensors.out, parts[0].lse_view(), parts[1].tensors.out, parts[1].lse_view(),
               parts[0].tensors.out, parts[0].lse_view());
  // Each part is rounded to f32 once and the merge once more; |out| and |lse| are below 4.
  const float tolerance = 4 * 3 * std::numeric_limits<float>::epsilon();
  for (std::size_t i = 0; i < call.out.size(); ++i) EXPECT_NEAR(parts[0].out[i], call.out[i], tolerance);
  for (std::size_t i = 0; i < call.lse.size(); ++i) EXPECT_NEAR(parts[0].lse[i], call.lse[i], tolerance);
}

TEST(MergeStates, RefusesWhatDoesNotFitNamingIt) {
  Part a{{1, 2, 3, 4}, {0, 0}};
  Part b{{1, 2, 3, 4}, {0, 0}};
  Part result{{0, 0, 0, 0}, {0, 0}};
  const auto refused = [&](MutableTensorView out_a, MutableTensorView lse_b, MutableTensorView out) {
    return refusal([&] { merge_states(out_a, a.lse_view(), b.out_view(), lse_b, out, result.lse_view()); });
  };
  MutableTensorView wrong = a.out_view();
  wrong.rank = 3;
  EXPECT_EQ(refused(wrong, b.lse_view(), result.out_view()).rfind("out_a:", 0), 0u);
  wrong = b.lse_view();
  wrong.shape[2] = 3;
  EXPECT_EQ(refused(a.out_view(), wrong, result.out_view()).rfind("lse_b:", 0), 0u);
  wrong = result.out_view();
  wrong.dtype = DType::f16;
  EXPECT_EQ(refused(a.out_view(), b.lse_view(), wrong).rfind("out:", 0), 0u);
  wrong = result.out_view();
  wrong.strides[2] = 0;
  EXPECT_EQ(refused(a.out_view(), b.lse_view(), wrong).rfind("out:", 0), 0u);
  wrong = a.out_view();
  wrong.data = a.out.data() + 1;
  wrong.shape[2] = 1;
  EXPECT_EQ(refused(a.out_view(), b.lse_view(), wrong).rfind("out:", 0), 0u);
  wrong = result.out_view();
  wrong.data = nullptr;
  EXPECT_EQ(refused(a.out_view(), b.lse_view(), wrong).rfind("out:", 0), 0u);
}

}  // namespace
}  // namespace attune
