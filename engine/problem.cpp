// What can be said of a problem without its data: names, features, hash, and the size of the work.
#include <attune/problem.hpp>

#include <algorithm>

namespace attune {
namespace {

/// Σ clamp(t, 0, keys) over all integers t below x, in closed form.
double clamped_sum_below(double x, double keys) noexcept {
  if (x <= 0) return 0;
  const double rising = std::min(x, keys);
  return rising * (rising - 1) / 2 + std::max(0.0, x - keys) * keys;
}

/// Σ over queries i of clamp(i + shift, 0, keys): how many keys lie before a limit that moves with the query.
double keys_before(double shift, double queries, double keys) noexcept {
  return clamped_sum_below(queries + shift, keys) - clamped_sum_below(shift, keys);
}

/// Pairs of one head of one member. Query i attends from its position − left to its position + right.
double member_pairs(const Problem& problem, double queries, double keys) noexcept {
  const double offset = problem.align == Align::Kind::top_left ? 0 : keys - queries;
  double end = queries * keys;
  if (problem.causal) {
    end = keys_before(offset + 1, queries, keys);
  } else if (problem.window_right >= 0) {
    end = keys_before(offset + static_cast<double>(problem.window_right) + 1, queries, keys);
  }
  if (problem.window_left < 0) return end;
  return end - keys_before(offset - static_cast<double>(problem.window_left), queries, keys);
}

std::uint64_t bit(Feature feature, bool used) noexcept { return used ? static_cast<std::uint64_t>(feature) : 0; }

}  // namespace

const char* name(Feature feature) noexcept {
  switch (feature) {
    case Feature::causal:
      return "causal";
    case Feature::window:
      return "window";
    case Feature::align_offset:
      return "align by an explicit offset";
    case Feature::softcap:
      return "softcap";
    case Feature::mask_bool:
      return "attn_mask (bool)";
    case Feature::mask_float:
      return "attn_mask (float)";
    case Feature::alibi:
      return "alibi_slopes";
    case Feature::sinks:
      return "sinks";
    case Feature::key_lengths:
      return "key_lengths";
    case Feature::cu_seqlens:
      return "cu_seqlens";
    case Feature::lse:
      return "lse";
    case Feature::weights:
      return "weights";
    case Feature::gqa:
      return "grouped key/value heads";
    case Feature::f16:
      return "f16";
    case Feature::bf16:
      return "bf16";
    case Feature::f64:
      return "f64";
    case Feature::mixed_dtypes:
      return "mixed dtypes";
    case Feature::block_mask:
      return "block_mask";
  }
  return "unknown";
}

std::uint64_t Problem::features() const noexcept {
  // A float mask counts among the dtypes: who cannot read f16 cannot read an f16 mask either.
  const auto uses_dtype = [this](DType dtype, MaskKind kind) {
    return query_dtype == dtype || key_dtype == dtype || value_dtype == dtype || out_dtype == dtype || mask == kind;
  };
  const bool mixed = key_dtype != query_dtype || value_dtype != query_dtype || out_dtype != query_dtype;
  return bit(Feature::causal, causal) | bit(Feature::window, windowed()) |
         bit(Feature::align_offset, align == Align::Kind::offset || align == Align::Kind::offsets) |
         bit(Feature::softcap, softcap) | bit(Feature::mask_bool, mask == MaskKind::boolean) |
         bit(Feature::mask_float, mask != MaskKind::none && mask != MaskKind::boolean) | bit(Feature::alibi, alibi) |
         bit(Feature::sinks, sinks) | bit(Feature::key_lengths, key_lengths) | bit(Feature::cu_seqlens, cu_seqlens) |
         bit(Feature::lse, lse) | bit(Feature::weights, weights) | bit(Feature::gqa, kv_heads != heads) |
         bit(Feature::f16, uses_dtype(DType::f16, MaskKind::f16)) |
         bit(Feature::bf16, uses_dtype(DType::bf16, MaskKind::bf16)) |
         bit(Feature::f64, uses_dtype(DType::f64, MaskKind::f64)) | bit(Feature::mixed_dtypes, mixed) |
         bit(Feature::block_mask, block_mask);
}

std::size_t hash_value(const Problem& p) noexcept {
  std::uint64_t hash = 0x9e3779b97f4a7c15ull;
  const auto mix = [&hash](auto value) {  // the finaliser of splitmix64
    hash += 0x9e3779b97f4a7c15ull + static_cast<std::uint64_t>(value);
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
    hash ^= hash >> 31;
  };
  mix(p.heads), mix(p.kv_heads), mix(p.head_dim), mix(p.value_dim);
  mix(p.query_dtype), mix(p.key_dtype), mix(p.value_dtype), mix(p.out_dtype);
  mix(p.mask), mix(p.align), mix(p.window_left), mix(p.window_right);
  mix(p.features());  // every option that is only on or off
  return static_cast<std::size_t>(hash);
}

double attended_pairs(const Problem& problem, const Extents& extents) noexcept {
  if (extents.batch <= 0) return 0;
  const auto members = static_cast<double>(extents.batch);
  const double queries = static_cast<double>(extents.total_queries) / members;
  const double keys = static_cast<double>(extents.total_keys) / members;
  return static_cast<double>(problem.heads) * members * member_pairs(problem, queries, keys);
}

double flops(const Problem& problem, const Extents& extents) noexcept {
  return 2 * attended_pairs(problem, extents) * static_cast<double>(problem.head_dim + problem.value_dim);
}

}  // namespace attune
