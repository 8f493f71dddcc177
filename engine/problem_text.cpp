// A problem in words.
#include <string>

#include <attune/problem.hpp>

#include "engine/complaint.hpp"

namespace attune {
namespace {

std::string dtypes(const Problem& p) {
  std::string text = name(p.query_dtype);
  if (!p.uses(Feature::mixed_dtypes)) return text;
  return text + " query, " + name(p.key_dtype) + " key, " + name(p.value_dtype) + " value, " + name(p.out_dtype) +
         " out";
}

const char* align(Align::Kind kind) noexcept {
  switch (kind) {
    case Align::Kind::bottom_right:
      return "";
    case Align::Kind::top_left:
      return "top-left";
    case Align::Kind::offset:
      return "at an offset";
    case Align::Kind::offsets:
      return "at an offset for each member";
  }
  return "unknown alignment";
}

std::string options(const Problem& p) {
  std::string text;
  const auto add = [&text](bool used, const std::string& words) {
    if (used) text += ", " + words;
  };
  add(p.causal, "causal");
  add(p.windowed(), "window " + std::to_string(p.window_left) + "," + std::to_string(p.window_right));
  add(p.align != Align::Kind::bottom_right, align(p.align));
  add(p.softcap, "softcap");
  add(p.mask != MaskKind::none, std::string(name(mask_dtype(p.mask))) + " mask");
  add(p.block_mask, "block mask");
  add(p.alibi, "ALiBi");
  add(p.sinks, "sinks");
  add(p.key_lengths, "key lengths");
  add(p.lse, "with lse");
  add(p.weights, "with weights");
  return text;
}

std::string sizes(const Problem& p, const Extents& e) {
  if (p.cu_seqlens) {
    return std::to_string(e.batch) + " packed members of up to " + std::to_string(e.queries) + " queries and " +
           std::to_string(e.keys) + " keys, q " + detail::text_of({e.total_queries, p.heads, p.head_dim}) + ", k " +
           detail::text_of({e.total_keys, p.kv_heads, p.head_dim});
  }
  return "q " + detail::text_of({e.batch, p.heads, e.queries, p.head_dim}) + ", k " +
         detail::text_of({e.batch, p.kv_heads, e.keys, p.head_dim});
}

}  // namespace

std::string to_text(const Problem& problem, const Extents& extents) {
  std::string text = sizes(problem, extents);
  if (problem.value_dim != problem.head_dim) text += ", value_dim " + std::to_string(problem.value_dim);
  return text + ", " + dtypes(problem) + options(problem);
}

}  // namespace attune
