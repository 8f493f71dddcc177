// How fast is the plugin, beside Attune's own backends? Every result is first compared with `naive`, which computes in
// double: a fast wrong answer is not a time.
//   my_backend_bench PLUGIN.so [HEADS QUERIES KEYS HEAD_DIM]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <attune/attune.hpp>
#include <attune/plugins.hpp>

namespace {

struct Sizes {
  std::int64_t heads = 8, queries = 512, keys = 512, dim = 64;
};

std::vector<float> random_numbers(std::int64_t count, unsigned seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  std::vector<float> result(static_cast<std::size_t>(count));
  for (float& x : result) x = normal(bits);
  return result;
}

struct Call {
  explicit Call(const Sizes& s)
      : query(random_numbers(s.heads * s.queries * s.dim, 1)),
        key(random_numbers(s.heads * s.keys * s.dim, 2)),
        value(random_numbers(s.heads * s.keys * s.dim, 3)),
        queries(attune::bhsd(1, s.heads, s.queries, s.dim)),
        keys(attune::bhsd(1, s.heads, s.keys, s.dim)) {}

  std::vector<float> run(attune::Engine& engine, const std::string& backend) const {
    std::vector<float> out(query.size());
    engine.attention(tensors(out), {.causal = true, .backend = backend});
    return out;
  }

  attune::Tensors tensors(std::vector<float>& out) const {
    return {attune::view(query.data(), queries), attune::view(key.data(), keys), attune::view(value.data(), keys),
            attune::view(out.data(), queries)};
  }

  std::vector<float> query, key, value;
  attune::TensorLayout queries, keys;
};

/// Seconds of the fastest of several calls, after one that does not count.
double seconds(attune::Engine& engine, const Call& call, const std::string& backend) {
  using Clock = std::chrono::steady_clock;
  std::vector<float> out(call.query.size());
  const attune::Tensors tensors = call.tensors(out);
  engine.attention(tensors, {.causal = true, .backend = backend});
  double best = 1e300;
  for (const auto end = Clock::now() + std::chrono::milliseconds(300); Clock::now() < end;) {
    const auto start = Clock::now();
    engine.attention(tensors, {.causal = true, .backend = backend});
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(difference <= largest)) largest = difference;  // a NaN stays
  }
  return largest;
}

int measure(const std::string& file, const Sizes& sizes) {
  attune::Engine engine;
  attune::PluginSearch search;
  search.files = {file};
  search.folders = false;
  const attune::PluginFile loaded = engine.load_plugins(search).files.at(0);
  if (loaded.state != attune::PluginState::loaded) {
    std::fprintf(stderr, "%s: %s: %s\n", loaded.path.c_str(), name(loaded.state), loaded.reason.c_str());
    return 1;
  }
  const Call call(sizes);
  const std::vector<float> expected = call.run(engine, "naive");
  const double pairs = static_cast<double>(sizes.heads * sizes.queries) *
                       (static_cast<double>(sizes.keys) - static_cast<double>(sizes.queries - 1) / 2);  // causal
  std::printf("%-16s %10s %10s %12s\n", "backend", "ms", "GFLOP/s", "largest error");
  for (const std::string& backend : {loaded.backend, std::string("simd"), std::string("tiled")}) {
    const double error = largest_difference(call.run(engine, backend), expected);
    const double time = seconds(engine, call, backend);
    const double rate = 4 * pairs * static_cast<double>(sizes.dim) / time;
    std::printf("%-16s %10.3f %10.1f %12.1e\n", backend.c_str(), time * 1e3, rate * 1e-9, error);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Sizes sizes;
  std::int64_t* const fields[] = {&sizes.heads, &sizes.queries, &sizes.keys, &sizes.dim};
  if (argc != 2 && argc != 6) {
    std::fprintf(stderr, "usage: %s PLUGIN.so [HEADS QUERIES KEYS HEAD_DIM]\n", argv[0]);
    return 2;
  }
  for (int i = 2; i < argc; ++i) *fields[i - 2] = std::atoll(argv[i]);
  if (sizes.heads < 1 || sizes.queries < 1 || sizes.keys < sizes.queries || sizes.dim < 1) {
    std::fprintf(stderr, "sizes are whole numbers from 1, and KEYS is not smaller than QUERIES (it is causal)\n");
    return 2;
  }
  try {
    return measure(argv[1], sizes);
  } catch (const attune::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
