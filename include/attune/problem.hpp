// What an attention call is about, without its data: what stays from call to call is the Problem, what
// changes are the Extents. Selection, planning and estimates see these two and no pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <attune/export.hpp>
#include <attune/options.hpp>

namespace attune {

enum class MaskKind : std::uint8_t { none, boolean, f32, f16, bf16, f64 };

/// Of a mask's elements; boolean where there is no mask.
constexpr DType mask_dtype(MaskKind kind) noexcept {
  switch (kind) {
    case MaskKind::f32:
      return DType::f32;
    case MaskKind::f16:
      return DType::f16;
    case MaskKind::bf16:
      return DType::bf16;
    case MaskKind::f64:
      return DType::f64;
    case MaskKind::none:
    case MaskKind::boolean:
      break;
  }
  return DType::boolean;
}

/// One bit for everything a problem may ask of a backend. A new option is a new bit at the end.
enum class Feature : std::uint64_t {
  causal = 1ull << 0,
  window = 1ull << 1,
  align_offset = 1ull << 2,  // an explicit offset, one or for each batch member
  softcap = 1ull << 3,
  mask_bool = 1ull << 4,
  mask_float = 1ull << 5,
  alibi = 1ull << 6,
  sinks = 1ull << 7,
  key_lengths = 1ull << 8,
  cu_seqlens = 1ull << 9,
  lse = 1ull << 10,
  weights = 1ull << 11,
  gqa = 1ull << 12,
  f16 = 1ull << 13,
  bf16 = 1ull << 14,
  f64 = 1ull << 15,
  mixed_dtypes = 1ull << 16,  // query, key, value and out are not all of one dtype
  block_mask = 1ull << 17,
};

/// The words of an error message or a listing, for example "softcap".
constexpr const char* name(Feature feature) noexcept {
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

struct Problem {
  std::int64_t heads = 1;      // H
  std::int64_t kv_heads = 1;   // Hkv; H is a multiple of it
  std::int64_t head_dim = 1;   // D of query and key, at least 1
  std::int64_t value_dim = 1;  // Dv of value and out

  DType query_dtype = DType::f32;
  DType key_dtype = DType::f32;
  DType value_dtype = DType::f32;
  DType out_dtype = DType::f32;

  MaskKind mask = MaskKind::none;
  Align::Kind align = Align::Kind::bottom_right;
  std::int64_t window_left = -1;
  std::int64_t window_right = -1;
  bool causal = false;
  bool softcap = false;
  bool alibi = false;
  bool sinks = false;
  bool key_lengths = false;
  bool cu_seqlens = false;
  bool lse = false;
  bool weights = false;
  bool block_mask = false;

  /// Query heads that share a key/value head; 1 where there are no heads.
  std::int64_t group() const noexcept { return kv_heads == 0 ? 1 : heads / kv_heads; }
  bool windowed() const noexcept { return window_left >= 0 || window_right >= 0; }
  /// The features in use, a bit each.
  std::uint64_t features() const noexcept;
  bool uses(Feature feature) const noexcept { return (features() & static_cast<std::uint64_t>(feature)) != 0; }

  bool operator==(const Problem&) const = default;
};

ATTUNE_API std::size_t hash_value(const Problem& problem) noexcept;

/// The sizes of one call. With cu_seqlens, `batch` counts members, `queries` and `keys` are those of the
/// longest member and the totals are the packed tokens; otherwise the totals are batch times length.
struct Extents {
  std::int64_t batch = 1;
  std::int64_t queries = 1;  // Sq
  std::int64_t keys = 1;     // Sk
  std::int64_t total_queries = 1;
  std::int64_t total_keys = 1;

  static Extents padded(std::int64_t batch, std::int64_t queries, std::int64_t keys) noexcept {
    return {batch, queries, keys, batch * queries, batch * keys};
  }
  bool operator==(const Extents&) const = default;
};

/// A problem in words for people and logs, for example
/// "q [1, 12, 512, 64], k [1, 4, 512, 64], f32, causal". What is the default is left out.
ATTUNE_API std::string to_text(const Problem& problem, const Extents& extents);

/// Describes a call. Throws Error(invalid_argument) where shapes, dtypes, options or lengths contradict
/// each other; looks at no element but lengths, offsets and cu_seqlens.
struct Description {
  Problem problem;
  Extents extents;
};
ATTUNE_API Description describe(const Tensors& tensors, const AttentionOptions& options);

/// Query-key pairs that causal and window leave to be attended, over all heads and members (exact for
/// equal lengths without key_lengths; the count that estimates and FLOP figures use). Masks of either kind are data,
/// which nobody looks at here: with a block_mask this is what the other options leave.
double attended_pairs(const Problem& problem, const Extents& extents) noexcept;

/// Floating point operations of the two products over the attended pairs: 2 · pairs · (D + Dv).
double flops(const Problem& problem, const Extents& extents) noexcept;

}  // namespace attune

#include <attune/problem_inline.hpp>
