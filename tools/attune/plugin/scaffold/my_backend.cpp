// The backend my_backend: attention in plain blocked loops. It is right and complete for what it takes; replace the
// arithmetic by something faster, and let supports() grow with what you add.
//
// How it is blocked. Attention of one query row reads every key and value: without blocks, Sq rows read all of K and V
// Sq times from memory. Here a tile of 16 query rows goes through the keys in blocks of 64, and a block (64 rows of K
// and V: 32 KB at head_dim 64) stays in the cache while all 16 rows use it: 16 times less traffic. The softmax is
// streaming: each row keeps the largest score so far (m), the sum of e^(score − m), and its part of out, and scales the
// last two down when m grows. So memory does not grow with the number of keys.
// Source: Dao et al., "FlashAttention", 2022; Milakov and Gimelshein, "Online normalizer calculation for softmax",
// 2018.
#include <attune/plugin.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

// Everything stays in an unnamed namespace: a plugin shares no symbol with its host or with other plugins.
namespace {

constexpr std::int64_t tile_queries = 16;
constexpr std::int64_t block_keys = 64;
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

/// One worker's memory. Rows are copied into it, so that strides do not matter to the loops.
struct Scratch {
  float* query = nullptr;    // [tile_queries][D]
  float* key = nullptr;      // [D][block_keys]: transposed, so that the loop over keys is the inner one
  float* value = nullptr;    // [block_keys][Dv]
  float* scores = nullptr;   // [block_keys], of one row
  float* out = nullptr;      // [tile_queries][Dv]
  float* largest = nullptr;  // m, [tile_queries]
  float* sum = nullptr;      // of e^(score − m), [tile_queries]; NaN where the row attended a NaN or +inf
  std::size_t bytes = 0;     // all of it together

  Scratch(std::byte* memory, std::int64_t head_dim, std::int64_t value_dim) noexcept {
    const auto take = [&](std::int64_t floats) {
      auto* const part = reinterpret_cast<float*>(memory + bytes);
      const std::size_t size = static_cast<std::size_t>(floats) * sizeof(float);
      bytes += (size + attune::workspace_alignment - 1) / attune::workspace_alignment * attune::workspace_alignment;
      return part;
    };
    query = take(tile_queries * head_dim);
    key = take(head_dim * block_keys);
    value = take(block_keys * value_dim);
    scores = take(block_keys);
    out = take(tile_queries * value_dim);
    largest = take(tile_queries);
    sum = take(tile_queries);
  }
};

/// Up to 16 neighbouring query rows of one head of one batch member.
class Tile {
 public:
  Tile(const attune::Arguments& arguments, const attune::Member& member, std::int64_t head, std::int64_t first_query,
       const Scratch& scratch) noexcept
      : a_(arguments), member_(member), head_(head), first_(first_query), s_(scratch) {
    count_ = std::min(tile_queries, member.queries - first_query);
  }

  void run() noexcept {
    open();
    for (std::int64_t first_key = 0; first_key < member_.keys; first_key += block_keys) {
      if (!wanted(first_key)) continue;  // causal, a window: no row of the tile attends any of these keys
      read_block(first_key);
      for (std::int64_t row = 0; row < count_; ++row) attend(row, first_key);
    }
    for (std::int64_t row = 0; row < count_; ++row) close(row);
  }

 private:
  /// The keys of a block that a row attends, counted from the block's first.
  attune::KeyRange attended(std::int64_t row, std::int64_t first_key) const noexcept {
    const attune::KeyRange keys = a_.attended_keys(member_, first_ + row);
    const std::int64_t begin = std::clamp<std::int64_t>(keys.begin - first_key, 0, block_keys);
    return {begin, std::clamp<std::int64_t>(keys.end - first_key, begin, block_keys)};
  }

  bool wanted(std::int64_t first_key) const noexcept {
    for (std::int64_t row = 0; row < count_; ++row) {
      const attune::KeyRange keys = attended(row, first_key);
      if (keys.begin < keys.end) return true;
    }
    return false;
  }

  void open() noexcept {
    const auto& strides = a_.query.strides;
    for (std::int64_t row = 0; row < count_; ++row) {
      const float* const from = a_.query.as<float>() + member_.batch * strides[0] + head_ * strides[1] +
                                (member_.first_query + first_ + row) * strides[2];
      for (std::int64_t d = 0; d < a_.head_dim; ++d) s_.query[row * a_.head_dim + d] = from[d * strides[3]];
    }
    std::fill(s_.out, s_.out + tile_queries * a_.value_dim, 0.0f);
    std::fill(s_.largest, s_.largest + tile_queries, minus_infinity);
    std::fill(s_.sum, s_.sum + tile_queries, 0.0f);
  }

  /// Copies a block of keys and values. Rows beyond the member's keys are not read: they may not exist.
  void read_block(std::int64_t first_key) noexcept {
    const std::int64_t kv_head = head_ / a_.group();  // several query heads may share a key/value head
    const std::int64_t count = std::min(block_keys, member_.keys - first_key);
    const auto& k = a_.key.strides;
    const auto& v = a_.value.strides;
    std::fill(s_.key, s_.key + a_.head_dim * block_keys, 0.0f);
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t at = member_.first_key + first_key + j;
      const float* const key = a_.key.as<float>() + member_.batch * k[0] + kv_head * k[1] + at * k[2];
      const float* const value = a_.value.as<float>() + member_.batch * v[0] + kv_head * v[1] + at * v[2];
      for (std::int64_t d = 0; d < a_.head_dim; ++d) s_.key[d * block_keys + j] = key[d * k[3]];
      for (std::int64_t d = 0; d < a_.value_dim; ++d) s_.value[j * a_.value_dim + d] = value[d * v[3]];
    }
  }

  /// Takes one row over one block. Only attended keys are looked at after the product, so that nothing a masked
  /// key or value holds, NaN included, can matter.
  void attend(std::int64_t row, std::int64_t first_key) noexcept {
    const attune::KeyRange keys = attended(row, first_key);
    if (keys.begin == keys.end) return;
    multiply_keys(row);
    float block_largest = minus_infinity;
    bool poisoned = false;
    for (std::int64_t j = keys.begin; j < keys.end; ++j) {
      poisoned = poisoned || !(s_.scores[j] < std::numeric_limits<float>::infinity());
      block_largest = std::max(block_largest, s_.scores[j]);
    }
    if (poisoned) s_.sum[row] = std::numeric_limits<float>::quiet_NaN();
    if (poisoned || block_largest == minus_infinity) return;
    if (block_largest > s_.largest[row]) grow(row, block_largest);
    multiply_values(row, keys);
  }

  /// scores[j] = scale · Σ_d query[d] · key[d][j]
  void multiply_keys(std::int64_t row) noexcept {
    const float* const query = s_.query + row * a_.head_dim;
    std::fill(s_.scores, s_.scores + block_keys, 0.0f);
    for (std::int64_t d = 0; d < a_.head_dim; ++d)
      for (std::int64_t j = 0; j < block_keys; ++j) s_.scores[j] += query[d] * s_.key[d * block_keys + j];
    const auto scale = static_cast<float>(a_.scale);
    for (std::int64_t j = 0; j < block_keys; ++j) s_.scores[j] *= scale;
  }

  /// The largest score grew: what was summed up so far weighs less.
  void grow(std::int64_t row, float largest) noexcept {
    const float factor = std::exp(s_.largest[row] - largest);  // 0 when there was nothing before
    s_.largest[row] = largest;
    s_.sum[row] *= factor;
    for (std::int64_t d = 0; d < a_.value_dim; ++d) s_.out[row * a_.value_dim + d] *= factor;
  }

  /// out += Σ_j e^(score − m) · value[j]
  void multiply_values(std::int64_t row, const attune::KeyRange& keys) noexcept {
    float* const out = s_.out + row * a_.value_dim;
    for (std::int64_t j = keys.begin; j < keys.end; ++j) {
      const float weight = std::exp(s_.scores[j] - s_.largest[row]);
      if (weight == 0) continue;
      s_.sum[row] += weight;
      for (std::int64_t d = 0; d < a_.value_dim; ++d) out[d] += weight * s_.value[j * a_.value_dim + d];
    }
  }

  /// A row that attended nothing is 0, and its lse −inf.
  void close(std::int64_t row) const noexcept {
    const float sum = s_.sum[row];
    const std::int64_t query = member_.first_query + first_ + row;
    const auto& o = a_.out.strides;
    float* const out = a_.out.as<float>() + member_.batch * o[0] + head_ * o[1] + query * o[2];
    for (std::int64_t d = 0; d < a_.value_dim; ++d) out[d * o[3]] = sum == 0 ? 0 : s_.out[row * a_.value_dim + d] / sum;
    if (a_.lse.data == nullptr) return;
    const auto& l = a_.lse.strides;
    a_.lse.as<float>()[member_.batch * l[0] + head_ * l[1] + query * l[2]] =
        sum == 0 ? minus_infinity : s_.largest[row] + std::log(sum);
  }

  const attune::Arguments& a_;
  const attune::Member& member_;
  std::int64_t head_, first_, count_ = 0;
  const Scratch& s_;
};

/// How one problem is computed. Plans are immutable: threads share them, and one plan serves calls of any length.
class MyBackendPlan final : public attune::Plan {
 public:
  using Plan::Plan;

  std::size_t workspace_bytes(const attune::Extents&, int num_threads) const noexcept override {
    return static_cast<std::size_t>(num_threads) * scratch(nullptr).bytes;
  }

  /// Allocates nothing and throws nothing. Each tile is an item of work on the threads that the caller gave, with the
  /// scratch memory of its worker. Nothing about the result depends on which worker that is.
  attune::Status execute(const attune::Arguments& arguments, std::span<std::byte> workspace,
                         attune::Executor& executor) const noexcept override {
    std::int64_t longest = 0;  // packed members (cu_seqlens) differ in length
    for (std::int64_t b = 0; b < arguments.members; ++b) longest = std::max(longest, arguments.member(b).queries);
    const std::int64_t tiles = (longest + tile_queries - 1) / tile_queries;
    const std::size_t stride = scratch(nullptr).bytes;
    const auto run = [&](std::int64_t item, int worker) noexcept {
      const std::int64_t first_query = item % tiles * tile_queries;
      const attune::Member member = arguments.member(item / tiles / arguments.heads);
      if (first_query >= member.queries) return;
      const Scratch memory = scratch(workspace.data() + static_cast<std::size_t>(worker) * stride);
      Tile(arguments, member, item / tiles % arguments.heads, first_query, memory).run();
    };
    executor.parallel_for(arguments.members * arguments.heads * tiles, run);
    return attune::Status::ok;
  }

  std::string describe(const attune::Extents&, int num_threads) const override {
    return "tiles of " + std::to_string(tile_queries) + " queries, blocks of " + std::to_string(block_keys) +
           " keys, on " + std::to_string(num_threads) + " threads";
  }

 private:
  Scratch scratch(std::byte* memory) const noexcept { return {memory, problem().head_dim, problem().value_dim}; }
};

class MyBackend final : public attune::Backend {
 public:
  std::string_view name() const noexcept override { return "my_backend"; }
  std::string_view description() const noexcept override { return "plain blocked loops with a streaming softmax"; }
  bool parallel() const noexcept override { return true; }

  /// What these loops hold without looking at anything but the member itself. Promise only what is true of yours: the
  /// conformance suite tests it.
  attune::TraitSet traits() const noexcept override { return attune::TraitSet::all(); }

  /// What is not computed must be refused, with a reason that helps. Causal, windows, alignment, key_lengths, packed
  /// sequences and grouped heads need nothing here: Arguments::member() and attended_keys() hold them.
  bool supports(const attune::Problem& problem, const attune::Extents&, std::string* reason) const override {
    using attune::Feature;
    for (const Feature feature : {Feature::f16, Feature::bf16, Feature::f64})
      if (problem.uses(feature)) return attune::refuse(reason, "takes f32 tensors only");
    for (const Feature feature : {Feature::softcap, Feature::mask_bool, Feature::mask_float, Feature::alibi,
                                  Feature::sinks, Feature::weights, Feature::block_mask})
      if (problem.uses(feature)) return attune::refuse(reason, not_here(feature));
    return true;
  }

  /// Seconds. It orders plugins among themselves; a plugin comes before Attune's own backends only when it is asked for
  /// by name, or has been measured to be faster.
  double estimate(const attune::Problem& problem, const attune::Extents& extents, const attune::Machine&,
                  int threads) const noexcept override {
    constexpr double flops_per_second = 4e9;  // of one thread: measure yours with my_backend_bench
    return flops(problem, extents) / (flops_per_second * threads);
  }

  std::shared_ptr<const attune::Plan> plan(const attune::Problem& problem, const attune::Machine&) const override {
    return std::make_shared<MyBackendPlan>(problem);
  }

 private:
  static const char* not_here(attune::Feature feature) noexcept {
    switch (feature) {
      case attune::Feature::softcap:
        return "has no softcap";
      case attune::Feature::alibi:
        return "has no ALiBi";
      case attune::Feature::sinks:
        return "has no attention sinks";
      case attune::Feature::weights:
        return "cannot give the weights: they are never there as a whole";
      case attune::Feature::block_mask:
        return "takes no block_mask";
      default:
        return "takes no attn_mask";
    }
  }
};

}  // namespace

ATTUNE_PLUGIN(MyBackend)
