#include <attune/attune.hpp>

#include <cstdio>
#include <vector>

int main() {
  // Two sentences of 100 tokens, 12 heads of 64: query, key and value as [batch, heads, seq, head_dim].
  const auto layout = attune::bhsd(2, 12, 100, 64);
  std::vector<float> q(2 * 12 * 100 * 64, 0.1f), k(q), v(q), out(q.size());
  attune::attention(attune::view(q.data(), layout), attune::view(k.data(), layout), attune::view(v.data(), layout),
                    attune::view(out.data(), layout), {.causal = true});
  std::printf("out[0] = %.3f\n", static_cast<double>(out[0]));  // every value is 0.1, and so is their mean
}
