// What must hold whatever the numbers are. A law is a function from an implementation to what is wrong with it: add it
// to the list at the end.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "tests/linear/suite.hpp"
#include "tests/support/executors.hpp"

namespace attune::test {
namespace {

const LinearSizes many{2, 4, 2, 1100, 1100, 20, 12, true};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

bool same_bits(const LinearResult& a, const LinearResult& b) {
  return same_bits(a.out, b.out) && same_bits(a.state, b.state);
}

std::string threads(const LinearFunction& function) {
  for (const bool causal : {false, true}) {
    LinearSizes sizes = many;
    sizes.causal = causal;
    const LinearCase c(sizes);
    const LinearResult expected = run(c, function, true);
    OrderExecutor reversed(5, Order::reversed), shuffled(3, Order::shuffled);
    ThreadExecutor real(3);
    for (Executor* executor :
         {static_cast<Executor*>(&reversed), static_cast<Executor*>(&shuffled), static_cast<Executor*>(&real)})
      if (!same_bits(run(c, function, true, executor), expected))
        return "other bits on " + std::to_string(executor->num_threads()) + " threads than on one";
  }
  return {};
}

/// Tokens first … first + count − 1 of the case.
TensorView part(TensorView tensor, std::int64_t first, std::int64_t count) {
  tensor.data = tensor.as<float>() + first * tensor.strides[2];
  tensor.shape[2] = count;
  return tensor;
}

LinearResult run_in_parts(const LinearCase& c, const LinearFunction& function) {
  LinearResult carried{std::vector<float>(c.query.size() / static_cast<std::size_t>(c.sizes.dim) *
                                          static_cast<std::size_t>(c.sizes.value_dim)),
                       c.state};
  InlineExecutor one;
  std::int64_t first = 0;
  for (const std::int64_t count : {1, 63, 0, 300, 1, 512, 223}) {
    MutableTensorView out = view(carried.out.data(), c.out_layout());
    out.data = carried.out.data() + first * out.strides[2];
    out.shape[2] = count;
    function({part(c.q(), first, count), part(c.k(), first, count), part(c.v(), first, count), out},
             {true, view(carried.state.data(), c.state_layout()), {}, {}}, one);
    first += count;
  }
  return carried;
}

std::string carried_state(const LinearFunction& function) {
  // Each side of the comparison may be off by the worst case of tolerance.hpp; the additions of a call are at most
  // 512 + 1100/512 + D + 66, a term goes through those of every later call once more (one addition each), so that 8
  // calls add 8: twice (2·e_φ + 610·2⁻²⁴)·2 with |x| ≤ 6.
  constexpr double allowed = 2 * 2 * (2 * (4 + 2 * 6) + 610 + 8) * 0x1p-24;
  const LinearCase c(many);
  const LinearReference reference = reference_of(c, true);
  const LinearResult whole = run(c, function, true), carried = run_in_parts(c, function);
  const auto differ = [](const std::vector<float>& a, const std::vector<float>& b, const std::vector<double>& mass) {
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!(std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) <= allowed * mass[i])) return true;
    return false;
  };
  if (differ(whole.out, carried.out, reference.mass)) return "out differs where a state is carried from part to part";
  if (differ(whole.state, carried.state, reference.state_mass)) return "the carried state differs from the whole's";
  return {};
}

std::string unseen(const LinearFunction& function) {
  const LinearCase clean(many);
  const std::vector<float> expected = run(clean, function, false).out;
  for (const std::int64_t poisoned : {70, 511, 512, 1090}) {
    LinearCase c = clean;
    for (std::int64_t d = 0; d < many.value_dim; ++d)
      c.value[static_cast<std::size_t>(poisoned * many.value_dim + d)] = std::numeric_limits<float>::quiet_NaN();
    c.key[static_cast<std::size_t>((poisoned + 1) * many.dim)] = std::numeric_limits<float>::infinity();
    const std::vector<float> out = run(c, function, false).out;
    const auto seen = static_cast<std::size_t>(poisoned * many.value_dim);
    for (std::size_t i = 0; i < seen; ++i)
      if (out[i] != expected[i]) return "a key that a row does not see changes it";
    if (!std::isnan(out[seen])) return "a NaN that a row sees does not show";
  }
  return {};
}

std::string groups(const LinearFunction& function) {
  const LinearSizes grouped{1, 6, 2, 90, 90, 16, 16, true};
  const LinearCase c(grouped);
  LinearSizes sizes = grouped;
  sizes.kv_heads = 6;
  LinearCase expanded(sizes);
  expanded.query = c.query;
  const std::size_t head = 90 * 16;
  for (std::size_t h = 0; h < 6; ++h) {
    std::copy_n(c.key.begin() + static_cast<std::ptrdiff_t>(h / 3 * head), head,
                expanded.key.begin() + static_cast<std::ptrdiff_t>(h * head));
    std::copy_n(c.value.begin() + static_cast<std::ptrdiff_t>(h / 3 * head), head,
                expanded.value.begin() + static_cast<std::ptrdiff_t>(h * head));
  }
  return same_bits(run(c, function, false).out, run(expanded, function, false).out)
             ? ""
             : "grouped heads differ from the same heads expanded";
}

std::string empty_rows(const LinearFunction& function) {
  LinearCase vanishing({1, 1, 1, 3, 3, 4, 4, false});
  for (float& x : vanishing.key) x = -std::numeric_limits<float>::infinity();
  for (const LinearCase& c : {LinearCase({1, 1, 1, 3, 0, 4, 4, false}), vanishing})
    for (const float x : run(c, function, false).out)
      if (x != 0) return "a row that sees nothing is not 0";
  return {};
}

/// The same numbers, exact in bf16 and f16, in every dtype and as [B, S, H, D].
std::string dtypes_and_strides(const LinearFunction& function) {
  const LinearSizes sizes{2, 4, 2, 70, 70, 20, 12, true};
  LinearCase c(sizes);
  for (auto* elements : {&c.query, &c.key, &c.value})
    for (float& x : *elements) x = std::round(x * 16) / 16;
  const std::vector<float> expected = run(c, function, false).out;
  const auto converted = [](const std::vector<float>& from, auto convert) {
    std::vector<decltype(convert(0.0))> to;
    for (const float x : from) to.push_back(convert(x));
    return to;
  };
  const auto k = converted(c.key, to_bfloat16);
  const auto v = converted(c.value, to_float16);
  std::vector<float> q(c.query.size()), out(expected.size());
  const TensorLayout strided = bshd(2, 70, 4, 20);
  for (std::int64_t b = 0, i = 0; b < 2; ++b)
    for (std::int64_t h = 0; h < 4; ++h)
      for (std::int64_t s = 0; s < 70; ++s)
        for (std::int64_t d = 0; d < 20; ++d, ++i)
          q[static_cast<std::size_t>(b * strided.strides[0] + h * strided.strides[1] + s * strided.strides[2] + d)] =
              c.query[static_cast<std::size_t>(i)];
  InlineExecutor one;
  function({view(std::as_const(q).data(), strided), view(k.data(), c.k()), view(v.data(), c.v()),
            view(out.data(), c.out_layout())},
           {true, {}, {}, {}}, one);
  return same_bits(out, expected) ? "" : "the same numbers in other dtypes and strides give other bits";
}

}  // namespace

void add_law_cases(std::vector<LinearConformanceCase>& cases) {
  cases.push_back({"linear/laws/threads-change-no-bit", threads});
  cases.push_back({"linear/laws/a-carried-state-is-the-whole", carried_state});
  cases.push_back({"linear/laws/what-a-row-does-not-see-changes-no-bit", unseen});
  cases.push_back({"linear/laws/groups-are-expanded-heads", groups});
  cases.push_back({"linear/laws/rows-that-see-nothing-are-zero", empty_rows});
  cases.push_back({"linear/laws/dtypes-and-strides-change-no-bit", dtypes_and_strides});
}

std::vector<LinearConformanceCase> linear_conformance_cases() {
  std::vector<LinearConformanceCase> cases;
  add_agreement_cases(cases);
  add_law_cases(cases);
  return cases;
}

}  // namespace attune::test
