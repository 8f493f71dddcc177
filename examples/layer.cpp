// The layer of the textbooks: query, key and value from X by (here: random) linear maps.
#include <cstdio>
#include <vector>

#include <attune/attune.hpp>

int main() {
  const std::int64_t tokens = 6, context_tokens = 4, model_dim = 32, heads = 4;
  const auto layer = attune::MultiHeadAttention::random({.model_dim = model_dim, .heads = heads}, /*seed=*/1);

  std::vector<float> x(static_cast<std::size_t>(tokens * model_dim)),
      context(static_cast<std::size_t>(context_tokens * model_dim));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3.0f;
  for (std::size_t i = 0; i < context.size(); ++i) context[i] = static_cast<float>(i % 5) - 2.0f;
  std::vector<float> out(x.size());
  const auto x_view = attune::view(x.data(), attune::contiguous({1, tokens, model_dim}));
  const auto context_view = attune::view(context.data(), attune::contiguous({1, context_tokens, model_dim}));
  const auto out_view = attune::view(out.data(), attune::contiguous({1, tokens, model_dim}));

  // Self-attention, with the weights as something to look at: [batch, heads, query, key].
  std::vector<float> weights(static_cast<std::size_t>(heads * tokens * tokens));
  attune::AttentionOptions options{.causal = true};
  options.weights = attune::view(weights.data(), attune::bhsd(1, heads, tokens, tokens));
  layer.forward(x_view, out_view, options);
  std::printf("head 0, what each token attends to:\n");
  for (std::int64_t query = 0; query < tokens; ++query) {
    for (std::int64_t key = 0; key < tokens; ++key)
      std::printf(" %.2f", static_cast<double>(weights[static_cast<std::size_t>(query * tokens + key)]));
    std::printf("\n");
  }

  // Cross-attention: queries from x, keys and values from the context.
  layer.forward(x_view, context_view, out_view);
  std::printf("cross-attention: out[0] = %.4f\n", static_cast<double>(out[0]));

  // Without parameters: query = key = value = X, one head.
  const auto one_head = attune::bhsd(1, 1, tokens, model_dim);
  const auto self = attune::view(static_cast<const float*>(x.data()), one_head);
  attune::attention(self, self, self, attune::view(out.data(), one_head));
  std::printf("no parameters: out[0] = %.4f\n", static_cast<double>(out[0]));
}
