// What each option costs: its rate per attended pair as a share of the plain call's, both measured in turn in one run
// on one core, with the backend tiled. Every case is checked against naive first. An argument names the rows to run.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <attune/attune.hpp>

#include "bench/ready_call.hpp"

namespace {

using attune::AttentionOptions;
using attune::DType;
using attune::TensorLayout;

struct Shape {
  std::int64_t heads = 1, kv_heads = 1, length = 2048, dim = 64;
  bool bshd = false;
  DType dtype = DType::f32;
};

/// A call with its memory.
class Case {
 public:
  Case(const Shape& shape, std::uint64_t seed) : shape_(shape) {
    const std::int64_t q = shape.heads * shape.length * shape.dim, k = shape.kv_heads * shape.length * shape.dim;
    tensors_.query = input(query_, q, layout(shape.heads), seed);
    tensors_.key = input(key_, k, layout(shape.kv_heads), seed + 1);
    tensors_.value = input(value_, k, layout(shape.kv_heads), seed + 2);
    out_.resize(static_cast<std::size_t>(q));
    tensors_.out = attune::view(out_.data(), layout(shape.heads));
  }

  const Shape& shape() const { return shape_; }
  const attune::Tensors& tensors() const { return tensors_; }
  AttentionOptions options;

  /// Memory that options refer to.
  std::vector<float> floats;
  std::vector<std::uint8_t> bytes;

 private:
  struct Storage {
    std::vector<float> f32;
    std::vector<attune::float16> f16;
  };

  TensorLayout layout(std::int64_t heads) const {
    return shape_.bshd ? attune::bshd(1, shape_.length, heads, shape_.dim)
                       : attune::bhsd(1, heads, shape_.length, shape_.dim);
  }

  attune::TensorView input(Storage& storage, std::int64_t count, const TensorLayout& where, std::uint64_t seed) const {
    std::mt19937_64 bits(seed);
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < count; ++i) storage.f32.push_back(normal(bits));
    if (shape_.dtype == DType::f32) return attune::view(static_cast<const float*>(storage.f32.data()), where);
    for (const float x : storage.f32) storage.f16.push_back(attune::to_float16(static_cast<double>(x)));
    return attune::view(static_cast<const attune::float16*>(storage.f16.data()), where);
  }

  Shape shape_;
  Storage query_, key_, value_;
  std::vector<float> out_;
  attune::Tensors tensors_;
};

void add_mask(Case& c, bool boolean) {
  const std::int64_t n = c.shape().length;
  std::mt19937_64 bits(9);
  for (std::int64_t i = 0; i < n * n; ++i) {
    c.bytes.push_back(bits() % 8 != 0 ? 1 : 0);
    c.floats.push_back(static_cast<float>(bits() % 1000) * 1e-3f - 0.5f);
  }
  const TensorLayout square = attune::contiguous({n, n});
  if (boolean) {
    c.options.attn_mask = attune::view(static_cast<const std::uint8_t*>(c.bytes.data()), square);
    c.options.attn_mask->dtype = DType::boolean;
  } else {
    c.options.attn_mask = attune::view(static_cast<const float*>(c.floats.data()), square);
  }
}

void add_slopes(Case& c) {
  c.floats.assign(static_cast<std::size_t>(c.shape().heads), 0.0625f);
  c.options.alibi_slopes =
      attune::view(static_cast<const float*>(c.floats.data()), attune::contiguous({c.shape().heads}));
}

void add_sinks(Case& c) {
  c.floats.assign(static_cast<std::size_t>(c.shape().heads), 1.0f);
  c.options.sinks = attune::view(static_cast<const float*>(c.floats.data()), attune::contiguous({c.shape().heads}));
}

struct Row {
  std::string name;
  double floor;  // the share that it must reach
  Shape plain, shape;
  void (*prepare)(Case&);
};

std::vector<Row> rows() {
  std::vector<Row> table;
  for (const std::int64_t dim : {64, 128}) {
    const Shape one{1, 1, 2048, dim};
    table.push_back({"bool mask", 0.85, one, one, [](Case& c) { add_mask(c, true); }});
    table.push_back({"float mask", 0.85, one, one, [](Case& c) { add_mask(c, false); }});
    table.push_back({"ALiBi", 0.85, one, one, add_slopes});
    table.push_back({"softcap", 0.6, one, one, [](Case& c) { c.options.softcap = 30; }});
    table.push_back({"sinks", 0.97, one, one, add_sinks});
    table.push_back(
        {"window 512", 0.8, one, one, [](Case& c) { c.options.window_left = 512, c.options.causal = true; }});
    const Shape long_one{1, 1, 16384, dim};
    // 1.3 times its share of the attended pairs is a rate of 1 / 1.3.
    table.push_back({"window 512, S 16384", 1 / 1.3, long_one, long_one,
                     [](Case& c) { c.options.window_left = 512, c.options.causal = true; }});
    table.push_back({"GQA 8/2", 0.98, {8, 8, 2048, dim}, {8, 2, 2048, dim}, [](Case&) {}});
    table.push_back({"BSHD, 12 heads", 0.92, {12, 12, 2048, dim}, {12, 12, 2048, dim, true}, [](Case&) {}});
    table.push_back({"BSHD, 32 heads", 0.92, {32, 32, 2048, dim}, {32, 32, 2048, dim, true}, [](Case&) {}});
    table.push_back({"f16", 0.9, one, {1, 1, 2048, dim, false, DType::f16}, [](Case&) {}});
  }
  return table;
}

/// The call bound and ready, on the calling thread.
attune::bench::ReadyCall ready(const Case& c) {
  AttentionOptions options = c.options;
  options.backend = "tiled";
  return {attune::default_engine(), c.tensors(), options, std::make_shared<attune::InlineExecutor>()};
}

/// Floating point operations per second.
double rate(const attune::bench::ReadyCall& call) { return call.flops() / call.time(0.02); }

attune::TensorView first_rows(attune::TensorView view, std::int64_t axis, std::int64_t count) {
  view.shape[static_cast<std::size_t>(axis)] = std::min(view.shape[static_cast<std::size_t>(axis)], count);
  return view;
}

/// The first query rows of the first head, computed by naive.
bool agrees(const Case& c) {
  constexpr std::int64_t checked = 4;
  const Shape& s = c.shape();
  std::vector<float> expected(static_cast<std::size_t>(checked * s.dim));
  attune::Tensors tensors = c.tensors();
  tensors.query = first_rows(first_rows(tensors.query, 1, 1), 2, checked);
  tensors.key = first_rows(tensors.key, 1, 1);
  tensors.value = first_rows(tensors.value, 1, 1);
  tensors.out = attune::view(expected.data(), attune::bhsd(1, 1, checked, s.dim));
  AttentionOptions options = c.options;
  options.backend = "naive";
  options.align = attune::Align::at(0);
  if (options.attn_mask) options.attn_mask = first_rows(*options.attn_mask, 0, checked);
  if (options.alibi_slopes) options.alibi_slopes = first_rows(*options.alibi_slopes, 0, 1);
  if (options.sinks) options.sinks = first_rows(*options.sinks, 0, 1);
  attune::default_engine().attention(tensors, options);
  const attune::MutableTensorView& out = c.tensors().out;
  for (std::int64_t i = 0; i < checked; ++i)
    for (std::int64_t d = 0; d < s.dim; ++d) {
      const double got = static_cast<double>(out.as<float>()[i * out.strides[2] + d]);
      if (!(std::abs(got - static_cast<double>(expected[static_cast<std::size_t>(i * s.dim + d)])) < 1e-4))
        return false;
    }
  return true;
}

/// The median over rounds of option and plain in turn; nothing if the result is wrong.
double share(const Row& row) {
  Case plain_case(row.plain, 1), option_case(row.shape, 1);
  row.prepare(option_case);
  const auto plain = ready(plain_case), option = ready(option_case);
  option.run();
  if (!agrees(option_case)) return std::nan("");
  std::vector<double> shares;
  for (int round = 0; round < 9; ++round) {
    const double before = rate(plain);
    const double with = rate(option);
    shares.push_back(with / ((before + rate(plain)) / 2));
  }
  return attune::bench::quantile(shares, 0.5);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string wanted = argc > 1 ? argv[1] : "";
  std::printf("%-22s %5s %7s %7s\n", "option", "D", "share", "floor");
  bool wrong = false;
  for (const Row& row : rows()) {
    if (row.name.find(wanted) == std::string::npos) continue;
    const double reached = share(row);
    wrong = wrong || std::isnan(reached);
    std::printf("%-22s %5lld %7.3f %7.2f%s\n", row.name.c_str(), static_cast<long long>(row.shape.dim), reached,
                row.floor,
                std::isnan(reached)   ? "  WRONG RESULT"
                : reached < row.floor ? "  below"
                                      : "");
    std::fflush(stdout);
  }
  return wrong ? 1 : 0;
}
