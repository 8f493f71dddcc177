// Part 1, continued: parameters of the field's own test suites that the other grids do not hold. GRIDS.md tells which
// of whose grids lives where.
//
// How to add a case: a line in one of the tables below.
#include <string>

#include "tests/conformance/suite.hpp"

namespace attune::conformance {
namespace {

struct Shape {
  const char* suite;
  std::int64_t batch, heads, kv_heads, queries, keys, dim, value_dim;
};

constexpr Shape quick_shapes[] = {
    {"flash_attention", 1, 2, 1, 1, 239, 64, 64},
    {"flash_attention", 1, 2, 1, 239, 1, 64, 64},
    {"flash_attention", 1, 2, 1, 3, 799, 64, 64},
    {"flash_attention", 1, 2, 1, 113, 203, 64, 64},
    {"flash_attention", 1, 2, 1, 108, 256, 64, 64},
    {"mlx", 1, 2, 1, 129, 65, 64, 64},
    {"mlx", 1, 2, 1, 65, 127, 64, 64},
};

constexpr Shape full_shapes[] = {
    {"flash_attention", 1, 2, 1, 799, 3, 64, 64},
    {"flash_attention", 1, 2, 1, 127, 512, 64, 64},
    {"flash_attention", 1, 2, 1, 513, 127, 64, 64},
    {"flash_attention", 1, 2, 1, 256, 512, 64, 64},
    {"flash_attention", 1, 2, 1, 512, 256, 64, 64},
    {"flash_attention", 1, 2, 1, 203, 113, 64, 64},
    {"flash_attention", 1, 2, 1, 384, 256, 64, 64},
    {"flash_attention", 1, 2, 1, 640, 128, 64, 64},
    {"flash_attention", 1, 2, 1, 1023, 512, 64, 64},
    {"flash_attention", 1, 2, 1, 1, 147, 64, 64},
    {"flash_attention", 1, 2, 1, 1, 339, 59, 59},
    {"flash_attention", 1, 2, 1, 3, 1024, 64, 64},
    {"flash_attention", 1, 2, 1, 64, 800, 80, 80},
    {"flash_attention", 1, 2, 1, 128, 217, 32, 32},
    {"flash_attention", 1, 2, 1, 217, 128, 111, 111},
    {"flash_attention", 1, 2, 1, 1024, 1023, 16, 16},
    {"flash_attention", 1, 2, 1, 128, 192, 64, 512},
    {"mlx", 1, 2, 1, 400, 400, 64, 64},
    {"mlx", 1, 32, 8, 1, 7, 128, 128},
    {"mlx", 1, 32, 8, 1, 32, 128, 128},
    {"mlx", 1, 32, 8, 1, 67, 128, 128},
    {"mlx", 1, 32, 8, 1, 400, 128, 128},
    {"mlx", 1, 8, 2, 64, 127, 72, 72},
    {"mlx", 1, 8, 2, 65, 128, 96, 96},
    {"pytorch", 2, 3, 3, 11, 17, 8, 8},
    {"pytorch", 1, 3, 3, 514, 514, 8, 8},
    {"pytorch", 1, 1, 1, 1030, 17, 8, 8},
    {"pytorch", 1, 2, 1, 143, 579, 203, 203},
    {"pytorch", 1, 2, 1, 4, 127, 256, 256},
    {"pytorch", 1, 1, 1, 312, 408, 16, 16},
    {"ggml", 1, 12, 1, 3, 113, 128, 128},
    {"ggml", 1, 4, 1, 32, 512, 40, 40},
    {"ggml", 1, 2, 1, 75, 113, 80, 80},
    {"ggml", 1, 20, 1, 1, 113, 576, 512},
    {"ggml", 1, 8, 1, 75, 64, 192, 128},
    {"flashinfer", 1, 7, 1, 37, 501, 64, 64},
    {"flashinfer", 1, 4, 1, 127, 501, 128, 128},
    {"flashinfer", 12, 4, 4, 1, 54, 128, 128},
    {"flashinfer", 3, 8, 4, 37, 97, 64, 64},
    {"xformers", 1, 3, 3, 34, 256, 32, 32},
    {"xformers", 1, 5, 5, 136, 72, 36, 36},
    {"xformers", 1, 1, 1, 32, 64, 38, 264},
    {"xformers", 1, 1, 1, 15, 68, 258, 34},
    {"xformers", 1, 1, 1, 2, 32, 514, 514},
    {"xformers", 1, 300, 300, 16, 16, 8, 8},
    {"xformers", 13, 200, 200, 1, 67, 8, 8},
    {"xformers", 1, 1, 1, 4, 65537, 8, 8},
    {"xformers", 1, 1, 1, 65537, 4, 8, 8},
    {"onnxruntime", 3, 8, 4, 16, 128, 64, 64},
    {"onnxruntime", 1, 9, 3, 35, 374, 96, 96},
    {"executorch", 1, 2, 2, 65, 193, 8, 8},
};

std::string name_of(const Shape& s) {
  const auto number = [](const char* what, std::int64_t n) { return std::string("_") + what + std::to_string(n); };
  return std::string("grid/field/") + s.suite + "/b" + std::to_string(s.batch) + number("h", s.heads) +
         number("kv", s.kv_heads) + number("q", s.queries) + number("k", s.keys) + number("d", s.dim) +
         (s.value_dim == s.dim ? "" : number("dv", s.value_dim));
}

void check_shape(Session& session, const Shape& s) {
  for (const bool causal : {false, true}) {
    Spec spec;
    spec.batch = s.batch;
    spec.set_heads(s.heads, s.kv_heads);
    spec.set_sizes(s.queries, s.keys);
    spec.head_dim = s.dim;
    spec.value_dim = s.value_dim;
    spec.causal = causal;
    session.expect_agrees(spec);
  }
}

struct Window {
  const char* suite;
  std::int64_t queries, keys, left, right;
};

constexpr Window windows[] = {
    {"flashinfer", 1, 199, 3, 0},   {"flashinfer", 1, 19, 23, 0},          {"flashinfer", 99, 99, 43, 0},
    {"flashinfer", 37, 397, 13, 0}, {"flashinfer", 47, 397, 111, 0},       {"flashinfer", 199, 199, 233, 0},
    {"mlx", 128, 128, -1, 111},     {"flash_attention", 113, 203, 61, 90}, {"flash_attention", 203, 113, 7, 40},
};

void check_window(Session& session, const Window& w) {
  for (const bool sinks : {false, true}) {
    Spec spec;
    spec.set_heads(8, 2);
    spec.set_sizes(w.queries, w.keys);
    spec.set_dims(64);
    spec.window_left = w.left;
    spec.window_right = w.right;
    spec.sinks = sinks;
    session.expect_agrees(spec);
  }
}

struct Cap {
  const char* suite;
  std::int64_t queries, keys, dim;
  double cap, logits;  // about how large scores are before they are capped
};

constexpr Cap caps[] = {
    {"flashinfer", 1, 81, 128, 1, 4},         {"flashinfer", 17, 81, 128, 30, 40},
    {"flashinfer", 1, 729, 256, 50, 20},      {"flash_attention", 64, 203, 64, 50, 50},
    {"flash_attention", 113, 128, 64, 15, 4}, {"ggml", 32, 113, 128, 10, 2},
};

void check_cap(Session& session, const Cap& c) {
  for (const bool causal : {false, true}) {
    Spec spec;
    spec.set_heads(4, 2);
    spec.set_sizes(c.queries, c.keys);
    spec.set_dims(c.dim);
    spec.softcap = c.cap;
    spec.logits = c.logits;
    spec.causal = causal;
    session.expect_agrees(spec);
  }
}

}  // namespace

std::vector<Case> field_cases() {
  std::vector<Case> cases;
  for (const Shape& s : quick_shapes)
    cases.push_back({name_of(s), Tier::quick, [=](Session& session) { check_shape(session, s); }});
  for (const Shape& s : full_shapes)
    cases.push_back({name_of(s), Tier::full, [=](Session& session) { check_shape(session, s); }});
  for (const Window& w : windows)
    cases.push_back({std::string("grid/field/") + w.suite + "/window_q" + std::to_string(w.queries) + "_k" +
                         std::to_string(w.keys) + "_l" + std::to_string(w.left) + "_r" + std::to_string(w.right),
                     Tier::full, [=](Session& session) { check_window(session, w); }});
  for (const Cap& c : caps)
    cases.push_back({std::string("grid/field/") + c.suite + "/softcap" + std::to_string(static_cast<int>(c.cap)) +
                         "_q" + std::to_string(c.queries) + "_k" + std::to_string(c.keys),
                     Tier::full, [=](Session& session) { check_cap(session, c); }});
  return cases;
}

}  // namespace attune::conformance
