#include "bench/selection_table.hpp"

namespace attune::bench {
namespace {

struct Heads {
  std::int64_t query, key_value, dim;
};

SelectionProblem make(const std::string& name, std::int64_t batch, Heads heads, std::int64_t queries,
                      std::int64_t keys) {
  SelectionProblem row{name, {}, Extents::padded(batch, queries, keys)};
  row.problem.heads = heads.query;
  row.problem.kv_heads = heads.key_value;
  row.problem.head_dim = row.problem.value_dim = heads.dim;
  return row;
}

template <typename Change>
SelectionProblem with(SelectionProblem row, Change change) {
  change(row.problem);
  return row;
}

void causal(Problem& p) { p.causal = true; }

void of_type(Problem& p, DType dtype) { p.query_dtype = p.key_dtype = p.value_dtype = p.out_dtype = dtype; }

constexpr Heads bert{12, 12, 64}, llama{32, 8, 128}, one{1, 1, 64};

void add_lengths(std::vector<SelectionProblem>& table) {
  for (const std::int64_t length : {8, 16, 32, 64, 128, 256, 512, 1024}) {
    table.push_back(make("encoder/" + std::to_string(length), 1, bert, length, length));
  }
  for (const std::int64_t length : {16, 64, 128}) {
    table.push_back(make("encoder-batch/" + std::to_string(length), 8, bert, length, length));
  }
  for (const std::int64_t length : {16, 128, 512, 1024}) {
    table.push_back(with(make("prefill/" + std::to_string(length), 1, llama, length, length), causal));
  }
  for (const std::int64_t length : {16, 64, 256, 1024, 4096, 16384}) {
    table.push_back(with(make("decode/" + std::to_string(length), 1, llama, 1, length), causal));
  }
  for (const std::int64_t length : {128, 1024, 4096}) {
    table.push_back(with(make("decode-batch/" + std::to_string(length), 4, bert, 1, length), causal));
  }
  for (const std::int64_t length : {64, 512, 2048}) {
    table.push_back(make("one-head/" + std::to_string(length), 1, one, length, length));
  }
}

void add_shapes(std::vector<SelectionProblem>& table) {
  table.push_back(make("cross/4096x77", 1, {8, 8, 40}, 4096, 77));
  table.push_back(make("cross/64x1500", 1, {6, 6, 64}, 64, 1500));
  table.push_back(make("cross/1x1500", 1, {6, 6, 64}, 1, 1500));
  table.push_back(make("vit/197", 1, bert, 197, 197));
  table.push_back(make("speculative/3x4096", 1, llama, 3, 4096));
  table.push_back(make("speculative/4x512", 1, llama, 4, 512));
  table.push_back(make("speculative/5x2048", 1, llama, 5, 2048));
  table.push_back(make("wide/256x256x256", 1, {4, 4, 256}, 256, 256));
  table.push_back(make("narrow/16x1024", 1, {8, 8, 16}, 1024, 1024));
  table.push_back(make("tiny/1x1", 1, one, 1, 1));
}

void add_options(std::vector<SelectionProblem>& table) {
  const SelectionProblem base = make("", 1, bert, 256, 256);
  const auto add = [&](const char* name, auto change) {
    table.push_back(with(base, change));
    table.back().name = name;
  };
  add("option/window", [](Problem& p) { p.window_left = 32, p.window_right = 0; });
  add("option/bool-mask", [](Problem& p) { p.mask = MaskKind::boolean; });
  add("option/f32-mask", [](Problem& p) { p.mask = MaskKind::f32; });
  add("option/alibi", [](Problem& p) { p.causal = p.alibi = true; });
  add("option/softcap", [](Problem& p) { p.softcap = true; });
  add("option/weights", [](Problem& p) { p.weights = true; });
  add("option/block-mask", [](Problem& p) { p.block_mask = true; });
  add("option/bf16", [](Problem& p) { of_type(p, DType::bf16); });
  add("option/f16", [](Problem& p) { of_type(p, DType::f16); });
  table.push_back(with(make("option/bf16-decode", 1, llama, 1, 2048), [](Problem& p) { of_type(p, DType::bf16); }));
}

}  // namespace

std::vector<SelectionProblem> selection_problems() {
  std::vector<SelectionProblem> table;
  add_lengths(table);
  add_shapes(table);
  add_options(table);
  return table;
}

}  // namespace attune::bench
