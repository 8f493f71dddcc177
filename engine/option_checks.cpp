#include "engine/option_checks.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include <attune/arguments.hpp>

#include "engine/complaint.hpp"
#include "engine/layout.hpp"
#include "engine/tensor_checks.hpp"

namespace attune::detail {
namespace {

void check_window(const char* name, std::int64_t window) {
  if (window < -1) refuse_argument(name, "is " + std::to_string(window) + ", must be -1 (unlimited) or more");
}

constexpr double smallest_f32 = std::numeric_limits<float>::min();

bool is_finite_in_f32(double x) { return std::abs(x) <= static_cast<double>(std::numeric_limits<float>::max()); }

std::string short_text(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", x);
  return text;
}

void check_numbers(const AttentionOptions& options) {
  if (options.scale && !is_finite_in_f32(*options.scale)) {
    refuse_argument("scale", "is " + short_text(*options.scale) + ", must be finite in f32");
  }
  // Kernels divide by the cap in f32: a subnormal or 0 there would make NaN of scores.
  const bool no_cap = options.softcap == 0;
  if (!no_cap && !(is_finite_in_f32(options.softcap) && options.softcap >= smallest_f32)) {
    refuse_argument("softcap", "is " + short_text(options.softcap) +
                                   ", must be 0 (none), or finite in f32 and at least " + short_text(smallest_f32));
  }
  check_window("window_left", options.window_left);
  check_window("window_right", options.window_right);
}

void check_mask(const TensorView& mask, const AttentionLayouts& t) {
  check_rank("attn_mask", mask, 1, 4, "1 to 4, broadcast over [batch, heads, queries, keys]");
  check_sizes("attn_mask", mask);
  if (mask.dtype != DType::boolean && !is_float(mask.dtype)) {
    refuse_argument("attn_mask", std::string("dtype is ") + name(mask.dtype) + ", must be bool, f32, f16, bf16 or f64");
  }
  if (mask.dtype == DType::f64 && t.query.dtype != DType::f64) {
    refuse_argument("attn_mask",
                    std::string("dtype is f64, which needs f64 tensors; query's is ") + name(t.query.dtype));
  }
  const TensorLayout full = with_leading_axes(mask);
  const std::array<std::int64_t, max_rank> target{t.members, t.heads(), t.queries(), t.keys()};
  for (std::size_t axis = 0; axis < max_rank; ++axis) {
    if (full.shape[axis] == 1 || full.shape[axis] == target[axis]) continue;
    refuse_argument("attn_mask", "shape " + shape_text(mask) +
                                     " cannot be broadcast to [batch, heads, queries, keys] = " +
                                     text_of({target[0], target[1], target[2], target[3]}));
  }
}

void check_slopes(const TensorView& slopes, const AttentionLayouts& t) {
  check_f32("alibi_slopes", slopes);
  if (slopes.rank == 2) return check_shape("alibi_slopes", slopes, {t.members, t.heads()}, "[batch, heads]");
  check_rank("alibi_slopes", slopes, 1, 2, "1 or 2, [heads] or [batch, heads]");
  check_shape("alibi_slopes", slopes, {t.heads()}, "[heads]");
}

void check_key_lengths(const TensorView& lengths, const AttentionLayouts& t) {
  check_indices("key_lengths", lengths, t.members, "[batch]");
  for (std::int64_t b = 0; b < t.members; ++b) {
    const std::int64_t length = index_at(lengths, b);
    if (length >= 0 && length <= t.keys()) continue;
    refuse_argument("key_lengths", "element " + std::to_string(b) + " is " + std::to_string(length) +
                                       ", must be in 0 ... " + std::to_string(t.keys()) + ", key's sequence length");
  }
}

void check_align(const Align& align, const AttentionLayouts& t) {
  if (align.kind > Align::Kind::offsets) refuse_argument("align", "kind is unknown");
  if (align.kind == Align::Kind::offsets) check_indices("align.offsets", align.offsets, t.members, "[batch]");
}

void check_outputs(const AttentionOptions& options, const AttentionLayouts& t) {
  if (options.lse) {
    check_f32("lse", *options.lse);
    if (t.packed) {
      check_shape("lse", *options.lse, {t.heads(), t.queries()}, "[heads, total_queries]");
    } else {
      check_shape("lse", *options.lse, {t.members, t.heads(), t.queries()}, "[batch, heads, queries]");
    }
    check_sizes("lse", *options.lse);
  }
  if (options.weights) {
    check_f32("weights", *options.weights);
    check_shape("weights", *options.weights, {t.members, t.heads(), t.queries(), t.keys()},
                "[batch, heads, queries, keys]");
    check_sizes("weights", *options.weights);
  }
}

void check_option_tensors(const AttentionOptions& options, const AttentionLayouts& t) {
  if (options.attn_mask) check_mask(*options.attn_mask, t);
  if (options.alibi_slopes) check_slopes(*options.alibi_slopes, t);
  if (options.sinks) {
    check_f32("sinks", *options.sinks);
    check_shape("sinks", *options.sinks, {t.heads()}, "[heads]");
  }
  check_align(options.align, t);
  if (options.key_lengths) check_key_lengths(*options.key_lengths, t);
  check_outputs(options, t);
}

void check_block_size(const char* name, std::int64_t size, bool has_map) {
  if (has_map && size < 1) {
    refuse_argument(name, "is " + std::to_string(size) + ", must be at least 1 with block_mask");
  }
  if (!has_map && size != 0) {
    refuse_argument(name, "is " + std::to_string(size) + ", must be 0 without block_mask");
  }
}

/// ⌈length / block⌉, whatever their size.
std::int64_t blocks_of(std::int64_t length, std::int64_t block) noexcept {
  return length / block + (length % block != 0 ? 1 : 0);
}

void refuse_with_cu_seqlens(const char* name) {
  refuse_argument(name, "cannot be combined with cu_seqlens_q and cu_seqlens_k");
}

}  // namespace

bool check_combinations(const AttentionOptions& options) {
  if (options.cu_seqlens_q.has_value() != options.cu_seqlens_k.has_value()) {
    refuse_argument(options.cu_seqlens_q ? "cu_seqlens_k" : "cu_seqlens_q",
                    std::string("missing; ") + (options.cu_seqlens_q ? "cu_seqlens_q" : "cu_seqlens_k") +
                        " is given, it takes both or neither");
  }
  if (!options.cu_seqlens_q) return false;
  if (options.attn_mask) refuse_with_cu_seqlens("attn_mask");
  if (options.weights) refuse_with_cu_seqlens("weights");
  if (options.key_lengths) refuse_with_cu_seqlens("key_lengths");
  return true;
}

std::int64_t longest_member(const char* name, const TensorView& boundaries, std::int64_t members, std::int64_t tokens) {
  if (const std::int64_t first = index_at(boundaries, 0); first != 0) {
    refuse_argument(name, "starts at " + std::to_string(first) + ", must start at 0");
  }
  std::int64_t longest = 0;
  std::int64_t begin = 0;
  for (std::int64_t b = 0; b < members; ++b) {
    const std::int64_t end = index_at(boundaries, b + 1);
    if (end < begin) {
      refuse_argument(name, "falls from " + std::to_string(begin) + " to " + std::to_string(end) + " at element " +
                                std::to_string(b + 1) + ", must never fall");
    }
    longest = std::max(longest, end - begin);
    begin = end;
  }
  if (begin != tokens) {
    refuse_argument(name, "ends at " + std::to_string(begin) + ", must end at " + std::to_string(tokens) +
                              ", the number of tokens");
  }
  return longest;
}

std::int64_t packed_members(const AttentionOptions& options) {
  const TensorView& boundaries = *options.cu_seqlens_q;
  check_rank("cu_seqlens_q", boundaries, 1, 1, "1, [members + 1]");
  check_sizes("cu_seqlens_q", boundaries);
  if (boundaries.shape[0] == 0) refuse_argument("cu_seqlens_q", "has no elements, must be [members + 1]");
  check_indices("cu_seqlens_q", boundaries, boundaries.shape[0], "[members + 1]");
  check_indices("cu_seqlens_k", *options.cu_seqlens_k, boundaries.shape[0], "[members + 1], as cu_seqlens_q");
  return boundaries.shape[0] - 1;
}

void check_block_mask(const AttentionOptions& options, std::int64_t heads, const Extents& extents) {
  check_block_size("block_queries", options.block_queries, options.block_mask.has_value());
  check_block_size("block_keys", options.block_keys, options.block_mask.has_value());
  if (!options.block_mask) return;
  const TensorView& map = *options.block_mask;
  check_rank("block_mask", map, 4, 4, "4, [batch or 1, heads or 1, blocks of queries, blocks of keys]");
  check_sizes("block_mask", map);
  if (map.dtype != DType::boolean) {
    refuse_argument("block_mask", std::string("dtype is ") + name(map.dtype) + ", must be bool");
  }
  const std::int64_t query_blocks = blocks_of(extents.queries, options.block_queries);
  const std::int64_t key_blocks = blocks_of(extents.keys, options.block_keys);
  const bool batch_fits = map.shape[batch_axis] == 1 || map.shape[batch_axis] == extents.batch;
  const bool heads_fit = map.shape[head_axis] == 1 || map.shape[head_axis] == heads;
  if (batch_fits && heads_fit && map.shape[2] == query_blocks && map.shape[3] == key_blocks) return;
  refuse_argument("block_mask", "shape is " + shape_text(map) + ", must be " +
                                    text_of({extents.batch, heads, query_blocks, key_blocks}) +
                                    " = [batch or 1, heads or 1, queries / block_queries, keys / block_keys], both "
                                    "rounded up");
}

void check_options(const AttentionOptions& options, const AttentionLayouts& t) {
  check_numbers(options);
  check_option_tensors(options, t);
}

}  // namespace attune::detail
