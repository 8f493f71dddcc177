#include "tests/conformance/workload.hpp"

#include <algorithm>
#include <cmath>

namespace attune::conformance {
namespace {

const std::int64_t& at(const std::vector<std::int64_t>& values, std::int64_t i) {
  return values[static_cast<std::size_t>(i)];
}

/// The first element of a row of a [B, heads, S, dim] array, or of a packed [total, heads, dim] one.
std::int64_t row_at(const Array& array, const std::vector<std::int64_t>& starts, std::int64_t member, std::int64_t head,
                    std::int64_t i) {
  if (!starts.empty()) return ((at(starts, member) + i) * array.extent(1) + head) * array.extent(2);
  return ((member * array.extent(1) + head) * array.extent(2) + i) * array.extent(3);
}

std::string list(const std::vector<std::int64_t>& values) {
  std::string text = "[";
  for (const std::int64_t value : values) text += (text.size() > 1 ? "," : "") + std::to_string(value);
  return text + "]";
}

const char* words(Align::Kind align) {
  switch (align) {
    case Align::Kind::bottom_right:
      return "bottom_right";
    case Align::Kind::top_left:
      return "top_left";
    case Align::Kind::offset:
      return "offset";
    case Align::Kind::offsets:
      return "offsets";
  }
  return "?";
}

Array make_mask(const Spec& spec, Random& random) {
  std::vector<std::int64_t> shape = spec.mask_shape;
  if (shape.empty()) shape = {spec.batch, spec.heads, spec.queries, spec.keys};
  Array mask(mask_dtype(spec.mask), {});
  mask.rank = static_cast<int>(shape.size());
  std::int64_t count = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) count *= mask.shape[axis] = shape[axis];
  mask.values.assign(static_cast<std::size_t>(count), 0.0);
  if (spec.mask == MaskKind::boolean) {
    mask.fill([&] { return random.chance(spec.mask_density) ? 1.0 : 0.0; });
  } else {
    // A float mask is mostly a bias; now and then it forbids, with −inf.
    mask.fill([&] { return random.chance(0.9) ? random.normal() : -INFINITY; });
  }
  return mask;
}

std::int64_t longest(const std::vector<std::int64_t>& starts) {
  std::int64_t length = 0;
  for (std::size_t member = 1; member < starts.size(); ++member)
    length = std::max(length, starts[member] - starts[member - 1]);
  return length;
}

std::int64_t blocks_of(std::int64_t length, std::int64_t block) { return (length + block - 1) / block; }

Array make_block_mask(const Spec& spec, Random& random) {
  Array map(DType::boolean,
            {spec.blocks_per_member ? spec.members() : 1, spec.blocks_per_head ? spec.heads : 1,
             blocks_of(spec.longest_queries(), spec.block_queries), blocks_of(spec.longest_keys(), spec.block_keys)});
  map.fill([&] { return random.chance(spec.block_density) ? 1.0 : 0.0; });
  return map;
}

/// The map of one member alone, for no more blocks than it has.
Array blocks_of_member(const Workload& workload, std::int64_t member, const Spec& alone) {
  const Array& maps = workload.block_mask;
  const Array own = workload.spec.blocks_per_member ? slice(maps, 0, member, member + 1) : maps;
  const Array rows = slice(own, 2, 0, blocks_of(alone.queries, alone.block_queries));
  return slice(rows, 3, 0, blocks_of(alone.keys, alone.block_keys));
}

std::vector<std::int64_t> starts_of(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> starts{0};
  for (const std::int64_t length : lengths) starts.push_back(starts.back() + length);
  return starts;
}

}  // namespace

double Spec::scale_value() const { return scale ? *scale : 1 / std::sqrt(static_cast<double>(head_dim)); }

std::int64_t Spec::longest_queries() const { return packed() ? longest(query_starts) : queries; }
std::int64_t Spec::longest_keys() const { return packed() ? longest(key_starts) : keys; }

void Spec::set_packed(const std::vector<std::int64_t>& query_lengths,
                      const std::vector<std::int64_t>& packed_key_lengths) {
  query_starts = starts_of(query_lengths);
  key_starts = starts_of(packed_key_lengths);
  batch = 1;
  queries = query_starts.back();
  keys = key_starts.back();
}

std::string describe(const Spec& spec) {
  std::string text = "B" + std::to_string(spec.batch) + " H" + std::to_string(spec.heads) + "/" +
                     std::to_string(spec.kv_heads) + " Sq" + std::to_string(spec.queries) + " Sk" +
                     std::to_string(spec.keys) + " D" + std::to_string(spec.head_dim) + " Dv" +
                     std::to_string(spec.value_dim) + " " + name(spec.query);
  if (spec.key != spec.query || spec.value != spec.query || spec.out != spec.query)
    text += std::string("/") + name(spec.key) + "/" + name(spec.value) + "/" + name(spec.out);
  if (spec.scale) text += " scale=" + std::to_string(*spec.scale);
  if (spec.causal) text += " causal";
  if (spec.align != Align::Kind::bottom_right) text += std::string(" align=") + words(spec.align);
  if (spec.align == Align::Kind::offset) text += "=" + std::to_string(spec.offset);
  if (spec.align == Align::Kind::offsets) text += "=" + list(spec.offsets);
  if (spec.window_left >= 0 || spec.window_right >= 0)
    text += " window=" + std::to_string(spec.window_left) + "," + std::to_string(spec.window_right);
  if (spec.softcap > 0) text += " softcap=" + std::to_string(spec.softcap);
  if (spec.mask != MaskKind::none) text += std::string(" mask=") + name(mask_dtype(spec.mask)) + list(spec.mask_shape);
  if (spec.has_block_mask())
    text += " block_mask=" + std::to_string(spec.block_queries) + "x" + std::to_string(spec.block_keys) +
            (spec.blocks_per_member ? "[B," : "[1,") + (spec.blocks_per_head ? "H]" : "1]");
  if (spec.alibi != Alibi::none) text += spec.alibi == Alibi::per_head ? " alibi[H]" : " alibi[B,H]";
  if (spec.sinks) text += " sinks";
  if (!spec.key_lengths.empty()) text += " key_lengths=" + list(spec.key_lengths);
  if (spec.packed()) text += " cu_seqlens=" + list(spec.query_starts) + list(spec.key_starts);
  if (spec.lse) text += " lse";
  if (spec.weights) text += " weights";
  return text;
}

std::int64_t Workload::key_at(std::int64_t member, std::int64_t kv_head, std::int64_t j) const {
  return row_at(key, spec.key_starts, member, kv_head, j);
}

std::int64_t Workload::value_at(std::int64_t member, std::int64_t kv_head, std::int64_t j) const {
  return row_at(value, spec.key_starts, member, kv_head, j);
}

const double* Workload::query_row(std::int64_t member, std::int64_t head, std::int64_t i) const {
  return query.values.data() + row_at(query, spec.query_starts, member, head, i);
}

const double* Workload::key_row(std::int64_t member, std::int64_t head, std::int64_t j) const {
  return key.values.data() + key_at(member, head / spec.group(), j);
}

const double* Workload::value_row(std::int64_t member, std::int64_t head, std::int64_t j) const {
  return value.values.data() + value_at(member, head / spec.group(), j);
}

std::int64_t Workload::lse_at(std::int64_t member, std::int64_t head, std::int64_t i) const {
  if (spec.packed()) return head * spec.queries + at(spec.query_starts, member) + i;
  return (member * spec.heads + head) * spec.queries + i;
}

std::int64_t Workload::block_at(std::int64_t member, std::int64_t head, std::int64_t i, std::int64_t j) const {
  const std::int64_t map =
      (spec.blocks_per_member ? member : 0) * block_mask.extent(1) + (spec.blocks_per_head ? head : 0);
  return (map * block_mask.extent(2) + i / spec.block_queries) * block_mask.extent(3) + j / spec.block_keys;
}

std::int64_t Workload::out_at(std::int64_t member, std::int64_t head, std::int64_t i) const {
  if (spec.packed()) return ((at(spec.query_starts, member) + i) * spec.heads + head) * spec.value_dim;
  return ((member * spec.heads + head) * spec.queries + i) * spec.value_dim;
}

std::int64_t Workload::queries_of(std::int64_t member) const {
  return spec.packed() ? at(spec.query_starts, member + 1) - at(spec.query_starts, member) : spec.queries;
}

std::int64_t Workload::keys_of(std::int64_t member) const {
  if (spec.packed()) return at(spec.key_starts, member + 1) - at(spec.key_starts, member);
  return spec.key_lengths.empty() ? spec.keys : at(spec.key_lengths, member);
}

std::int64_t Workload::offset_of(std::int64_t member) const {
  switch (spec.align) {
    case Align::Kind::bottom_right:
      return keys_of(member) - queries_of(member);
    case Align::Kind::top_left:
      return 0;
    case Align::Kind::offset:
      return spec.offset;
    case Align::Kind::offsets:
      return at(spec.offsets, member);
  }
  return 0;
}

Array Workload::out_array() const {
  if (spec.packed()) return Array(spec.out, {spec.queries, spec.heads, spec.value_dim});
  return Array(spec.out, {spec.batch, spec.heads, spec.queries, spec.value_dim});
}

Array Workload::lse_array() const {
  if (spec.packed()) return Array(DType::f32, {spec.heads, spec.queries});
  return Array(DType::f32, {spec.batch, spec.heads, spec.queries});
}

Array Workload::weights_array() const { return Array(DType::f32, {spec.batch, spec.heads, spec.queries, spec.keys}); }

Workload generate(const Spec& spec, Random& random) {
  Workload w;
  w.spec = spec;
  const auto tensor = [&](DType dtype, std::int64_t heads, std::int64_t length, std::int64_t dim) {
    return spec.packed() ? Array(dtype, {length, heads, dim}) : Array(dtype, {spec.batch, heads, length, dim});
  };
  w.query = tensor(spec.query, spec.heads, spec.queries, spec.head_dim);
  w.key = tensor(spec.key, spec.kv_heads, spec.keys, spec.head_dim);
  w.value = tensor(spec.value, spec.kv_heads, spec.keys, spec.value_dim);
  const auto normal = [&](double deviation) { return [&random, deviation] { return deviation * random.normal(); }; };
  const double spread = std::sqrt(spec.logits);  // shared by query and key, so that neither leaves f16's range
  w.query.fill(normal(spread));
  w.key.fill(normal(spread));
  w.value.fill(normal(spec.value_scale));
  if (spec.mask != MaskKind::none) w.mask = make_mask(spec, random);
  if (spec.has_block_mask()) w.block_mask = make_block_mask(spec, random);
  if (spec.alibi != Alibi::none) {
    w.alibi = spec.alibi == Alibi::per_head ? Array(DType::f32, {spec.heads})
                                            : Array(DType::f32, {spec.members(), spec.heads});
    w.alibi.fill([&] { return random.uniform(0.02, 0.3); });
  }
  if (spec.sinks) {
    w.sinks = Array(DType::f32, {spec.heads});
    w.sinks.fill(normal(3));
  }
  return w;
}

Workload only_member(const Workload& workload, std::int64_t member) {
  const Spec& from = workload.spec;
  Workload one = workload;
  Spec& spec = one.spec;
  if (from.packed()) {
    const auto begin_q = at(from.query_starts, member), end_q = at(from.query_starts, member + 1);
    const auto begin_k = at(from.key_starts, member), end_k = at(from.key_starts, member + 1);
    spec.set_packed({end_q - begin_q}, {end_k - begin_k});
    one.query = slice(workload.query, 0, begin_q, end_q);
    one.key = slice(workload.key, 0, begin_k, end_k);
    one.value = slice(workload.value, 0, begin_k, end_k);
  } else {
    spec.batch = 1;
    one.query = slice(workload.query, 0, member, member + 1);
    one.key = slice(workload.key, 0, member, member + 1);
    one.value = slice(workload.value, 0, member, member + 1);
    if (!from.key_lengths.empty()) spec.key_lengths = {at(from.key_lengths, member)};
  }
  if (from.align == Align::Kind::offsets) spec.offsets = {at(from.offsets, member)};
  if (from.alibi == Alibi::per_batch) one.alibi = slice(workload.alibi, 0, member, member + 1);
  if (from.has_block_mask()) one.block_mask = blocks_of_member(workload, member, spec);
  if (workload.mask.rank == 4 && workload.mask.extent(0) == from.batch && from.batch > 0) {
    one.mask = slice(workload.mask, 0, member, member + 1);
    if (!spec.mask_shape.empty()) spec.mask_shape[0] = 1;
  }
  return one;
}

}  // namespace attune::conformance
