#include "engine/tuning/sample_call.hpp"

#include <algorithm>
#include <cstring>

#include <attune/error.hpp>

#include "engine/complaint.hpp"
#include "engine/layout.hpp"

namespace attune::detail {
namespace {

constexpr std::int64_t block_size = 64;  // of a block mask, as sparse patterns use it

/// The next of a fixed row of numbers (splitmix64), in −1 … 1.
double next_number(std::uint64_t& seed) noexcept {
  std::uint64_t x = seed += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  x ^= x >> 31;
  return static_cast<double>(x >> 11) * 0x1p-52 - 1;
}

void store(void* data, DType dtype, std::size_t at, double value) noexcept {
  switch (dtype) {
    case DType::f32:
      static_cast<float*>(data)[at] = static_cast<float>(value);
      break;
    case DType::f16:
      static_cast<float16*>(data)[at] = to_float16(value);
      break;
    case DType::bf16:
      static_cast<bfloat16*>(data)[at] = to_bfloat16(value);
      break;
    case DType::f64:
      static_cast<double*>(data)[at] = value;
      break;
    default:
      static_cast<std::uint8_t*>(data)[at] = value > -0.75 ? 1 : 0;  // bool: seven of eight are true
      break;
  }
}

std::size_t count_of(const TensorLayout& layout) noexcept {
  std::size_t count = 1;
  for (int axis = 0; axis < layout.rank; ++axis)
    count *= static_cast<std::size_t>(layout.shape[static_cast<std::size_t>(axis)]);
  return count;
}

TensorLayout typed(TensorLayout layout, DType dtype) noexcept {
  layout.dtype = dtype;
  return layout;
}

/// Boundaries of `members` that add up to `total`, the first as long as the longest, the others sharing the rest.
std::vector<std::int64_t> boundaries(std::int64_t members, std::int64_t longest, std::int64_t total) {
  std::vector<std::int64_t> starts{0};
  std::int64_t rest = total;
  for (std::int64_t left = members; left > 0; --left) {
    const bool first = left == members;
    const std::int64_t share = first ? std::min(longest, rest) : (rest + left - 1) / left;
    if (share > longest) break;
    rest -= share;
    starts.push_back(starts.back() + share);
  }
  if (rest == 0 && static_cast<std::int64_t>(starts.size()) == members + 1) return starts;
  refuse_argument("extents", std::to_string(total) + " tokens are not those of " + std::to_string(members) +
                                 " members of at most " + std::to_string(longest));
}

}  // namespace

SampleCall::SampleCall(const Problem& problem, const Extents& extents) {
  set_tensors(problem, extents);
  set_options(problem, extents);
  const Description made = describe(tensors_, options_);
  if (made.problem == problem && made.extents == extents) return;
  refuse_argument("problem", "is one that no call has: its sizes or options contradict each other");
}

void* SampleCall::allocate(const TensorLayout& layout) {
  if (!count_fits(layout)) refuse_argument("extents", "are too large: " + shape_text(layout));
  memory_.push_back(
      std::make_unique_for_overwrite<std::byte[]>(std::max<std::size_t>(1, count_of(layout) * size_of(layout.dtype))));
  return memory_.back().get();
}

TensorView SampleCall::random_tensor(const TensorLayout& layout, double scale) {
  void* const data = allocate(layout);
  const std::size_t count = count_of(layout);
  for (std::size_t i = 0; i < count; ++i) store(data, layout.dtype, i, scale * next_number(seed_));
  return {layout, data};
}

TensorView SampleCall::index_tensor(const std::vector<std::int64_t>& values) {
  const TensorLayout layout = typed(contiguous({static_cast<std::int64_t>(values.size())}), DType::i64);
  void* const data = allocate(layout);
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(std::int64_t));
  return {layout, data};
}

MutableTensorView SampleCall::output(const TensorLayout& layout) {
  MutableTensorView result;
  static_cast<TensorLayout&>(result) = layout;
  result.data = allocate(layout);
  return result;
}

void SampleCall::set_tensors(const Problem& p, const Extents& e) {
  const auto layout = [&](std::int64_t heads, std::int64_t length, std::int64_t total, std::int64_t dim, DType dtype) {
    return typed(p.cu_seqlens ? packed(total, heads, dim) : bhsd(e.batch, heads, length, dim), dtype);
  };
  constexpr double spread = 1.7;  // uniform numbers of variance 1, as a layer norm leaves them
  tensors_.query = random_tensor(layout(p.heads, e.queries, e.total_queries, p.head_dim, p.query_dtype), spread);
  tensors_.key = random_tensor(layout(p.kv_heads, e.keys, e.total_keys, p.head_dim, p.key_dtype), spread);
  tensors_.value = random_tensor(layout(p.kv_heads, e.keys, e.total_keys, p.value_dim, p.value_dtype), spread);
  tensors_.out = output(layout(p.heads, e.queries, e.total_queries, p.value_dim, p.out_dtype));
}

void SampleCall::set_options(const Problem& p, const Extents& e) {
  AttentionOptions& o = options_;
  o.causal = p.causal;
  o.window_left = p.window_left;
  o.window_right = p.window_right;
  if (p.softcap) o.softcap = 30;
  if (p.align == Align::Kind::top_left) o.align = Align::top_left();
  if (p.align == Align::Kind::offset) o.align = Align::at(e.keys - e.queries);
  if (p.align == Align::Kind::offsets) {
    o.align = Align::per_batch(index_tensor(std::vector(static_cast<std::size_t>(e.batch), e.keys - e.queries)));
  }
  if (p.mask != MaskKind::none)
    o.attn_mask = random_tensor(typed(bhsd(1, 1, e.queries, e.keys), mask_dtype(p.mask)), 1);
  if (p.block_mask) {
    const auto blocks = [](std::int64_t length) { return (length + block_size - 1) / block_size; };
    o.block_mask = random_tensor(typed(bhsd(1, 1, blocks(e.queries), blocks(e.keys)), DType::boolean), 1);
    o.block_queries = o.block_keys = block_size;
  }
  if (p.alibi) o.alibi_slopes = random_tensor(contiguous({p.heads}), 0.1);
  if (p.sinks) o.sinks = random_tensor(contiguous({p.heads}), 1);
  if (p.key_lengths) o.key_lengths = index_tensor(std::vector(static_cast<std::size_t>(e.batch), e.keys));
  if (p.cu_seqlens) {
    o.cu_seqlens_q = index_tensor(boundaries(e.batch, e.queries, e.total_queries));
    o.cu_seqlens_k = index_tensor(boundaries(e.batch, e.keys, e.total_keys));
  }
  if (p.lse)
    o.lse = output(p.cu_seqlens ? contiguous({p.heads, e.total_queries}) : contiguous({e.batch, p.heads, e.queries}));
  if (p.weights) o.weights = output(bhsd(e.batch, p.heads, e.queries, e.keys));
}

void SampleCall::spoil_out() {
  std::memset(tensors_.out.data, 0xff, count_of(tensors_.out) * size_of(tensors_.out.dtype));  // a NaN of every type
}

}  // namespace attune::detail
