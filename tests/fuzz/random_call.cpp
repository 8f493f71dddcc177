#include "tests/fuzz/random_call.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace attune::fuzz {
namespace {

constexpr std::int64_t most_elements = 1 << 15;  // of one tensor, gaps included
constexpr std::byte paint{0x5a};

constexpr DType floats[] = {DType::f32, DType::f16, DType::bf16};
constexpr DType every_dtype[] = {DType::f32,     DType::f16, DType::bf16, DType::f64,
                                 DType::boolean, DType::u8,  DType::i32,  DType::i64};

/// Sizes that code forgets to think of.
constexpr std::int64_t wrong_sizes[] = {-1,
                                        0,
                                        1,
                                        2,
                                        3,
                                        1 << 10,
                                        std::int64_t{1} << 31,
                                        std::int64_t{1} << 40,
                                        std::numeric_limits<std::int64_t>::max(),
                                        std::numeric_limits<std::int64_t>::min()};

/// The largest of them may be spoiled once more.
constexpr std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

constexpr bool is_output(std::size_t slot) { return slot == out_slot || slot == lse_slot || slot == weights_slot; }
constexpr bool is_index(std::size_t slot) { return slot >= lengths_slot && slot < slot_count; }

/// Offsets of the lowest and the highest element from element [0, …, 0].
struct Reach {
  std::int64_t lowest = 0, highest = 0;
  std::int64_t elements() const noexcept { return highest - lowest + 1; }
};

bool is_empty(const TensorLayout& layout) {
  return std::any_of(layout.shape.begin(), layout.shape.begin() + layout.rank, [](auto size) { return size == 0; });
}

/// Nothing to allocate: no rank, a negative size, or too far.
bool reach_of(const TensorLayout& layout, Reach& reach) {
  if (layout.rank < 0 || layout.rank > max_rank) return false;
  __int128 lowest = 0, highest = 0, count = 1;
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(layout.rank); ++axis) {
    if (layout.shape[axis] < 0) return false;
    if (layout.shape[axis] == 0) continue;
    const __int128 span = static_cast<__int128>(layout.strides[axis]) * (layout.shape[axis] - 1);
    (span < 0 ? lowest : highest) += span;
    if (highest - lowest >= most_elements || layout.shape[axis] > most_elements) return false;
    count *= layout.shape[axis];
    if (count > most_elements) return false;
  }
  reach = {static_cast<std::int64_t>(lowest), static_cast<std::int64_t>(highest)};
  return true;
}

/// Calls visit(offset) for every element; the layout is backed.
template <typename Visitor>
void for_each_offset(const TensorLayout& layout, Visitor&& visit) {
  if (is_empty(layout)) return;
  std::array<std::int64_t, max_rank> index{};
  while (true) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(layout.rank); ++axis)
      offset += index[axis] * layout.strides[axis];
    visit(offset);
    int axis = layout.rank - 1;
    for (; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      if (++index[a] < layout.shape[a]) break;
      index[a] = 0;
    }
    if (axis < 0) return;
  }
}

std::uint64_t next_noise(std::uint64_t& state) {  // splitmix64
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

double uniform(std::uint64_t& state) { return static_cast<double>(next_noise(state) >> 11) * 0x1p-52 - 1; }

template <typename T>
void put(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

void store(DType dtype, double value, std::byte* to) {
  switch (dtype) {
    case DType::f32:
      return put(to, static_cast<float>(value));
    case DType::f64:
      return put(to, value);
    case DType::f16:
      return put(to, to_float16(value));
    case DType::bf16:
      return put(to, to_bfloat16(value));
    case DType::i32:
      return put(to, static_cast<std::int32_t>(value));
    case DType::i64:
      return put(to, static_cast<std::int64_t>(value));
    case DType::boolean:
    case DType::u8:
      return put(to, static_cast<std::uint8_t>(value > 0 ? 1 : 0));
  }
}

double load(const MutableTensorView& view, std::int64_t offset) {
  switch (view.dtype) {
    case DType::f16:
      return static_cast<double>(to_float(view.as<float16>()[offset]));
    case DType::bf16:
      return static_cast<double>(to_float(view.as<bfloat16>()[offset]));
    case DType::f64:
      return view.as<double>()[offset];
    default:
      return static_cast<double>(view.as<float>()[offset]);
  }
}

std::int64_t blocks_of(std::int64_t length, std::int64_t block) { return (length + block - 1) / block; }

}  // namespace

RandomCall::RandomCall(FuzzedDataProvider& bytes) : bytes_(bytes) {
  noise_ = bytes_.ConsumeIntegral<std::uint16_t>();
  wild_ = bytes_.ConsumeIntegralInRange(0, 3) == 0;
  draw_sizes();
  draw_packing();
  draw_dtypes();
  draw_tensors();
  draw_numbers();
  draw_masks();
  draw_per_head();
  draw_index_tensors();
  draw_outputs();
  draw_backend();
  spoil();
  for (std::size_t slot = 0; slot < slot_count; ++slot)
    if (slots_[slot].given) place(slots_[slot], is_index(slot));
  fill();
  alias_outputs();
  attach();
  tame_ = tame_ && !wild_ && backed();
}

// ---- A sound call

void RandomCall::draw_sizes() {
  sizes_.batch = bytes_.ConsumeIntegralInRange(0, 3);
  sizes_.kv_heads = bytes_.ConsumeIntegralInRange(1, 2);
  sizes_.heads = sizes_.kv_heads * bytes_.ConsumeIntegralInRange(1, 5);
  const bool decode = bytes_.ConsumeBool();
  sizes_.queries = decode ? 1 : bytes_.ConsumeIntegralInRange(0, 40);
  sizes_.keys = bytes_.ConsumeIntegralInRange(0, decode ? 600 : 80);
  sizes_.dim = bytes_.ConsumeIntegralInRange(1, decode ? 8 : 40);
  sizes_.value_dim = bytes_.ConsumeBool() ? sizes_.dim : bytes_.ConsumeIntegralInRange(0, 20);
  sizes_.longest_query = sizes_.queries;
  sizes_.longest_key = sizes_.keys;
}

void RandomCall::draw_packing() {
  sizes_.packed = bytes_.ConsumeIntegralInRange(0, 3) == 0;
  if (!sizes_.packed) return;
  starts_q_ = starts_k_ = {0};
  sizes_.longest_query = sizes_.longest_key = 0;
  for (std::int64_t member = 0; member < sizes_.batch; ++member) {
    const std::int64_t queries = bytes_.ConsumeIntegralInRange(0, 20), keys = bytes_.ConsumeIntegralInRange(0, 60);
    starts_q_.push_back(starts_q_.back() + queries);
    starts_k_.push_back(starts_k_.back() + keys);
    sizes_.longest_query = std::max(sizes_.longest_query, queries);
    sizes_.longest_key = std::max(sizes_.longest_key, keys);
  }
  sizes_.queries = starts_q_.back();
  sizes_.keys = starts_k_.back();
}

void RandomCall::draw_dtypes() {
  const bool all_f32 = bytes_.ConsumeBool();
  const auto draw = [&] { return all_f32 ? DType::f32 : bytes_.PickValueInArray(floats); };
  slots_[query_slot].view.dtype = draw();
  slots_[key_slot].view.dtype = draw();
  slots_[value_slot].view.dtype = draw();
  slots_[out_slot].view.dtype = bytes_.ConsumeBool() ? DType::f32 : slots_[query_slot].view.dtype;
  if (bytes_.ConsumeIntegralInRange(0, 9) != 0) return;
  for (const Slot slot : {query_slot, key_slot, value_slot, out_slot}) slots_[slot].view.dtype = DType::f64;
}

void RandomCall::add(Slot slot, DType dtype, TensorLayout layout) {
  Placed& placed = slots_[slot];
  placed.given = true;
  layout.dtype = dtype;
  static_cast<TensorLayout&>(placed.view) = layout;
  lay_out(slot);
}

/// Order of the axes in memory, gaps, direction and (on inputs) repetition.
void RandomCall::lay_out(Slot slot) {
  TensorLayout& layout = slots_[slot].view;
  if (bytes_.ConsumeBool()) return;
  const bool heads_inside = bytes_.ConsumeBool() && layout.rank == 4;
  std::int64_t stride = bytes_.ConsumeIntegralInRange(1, 2);
  for (int axis = layout.rank - 1; axis >= 0; --axis) {
    const auto a = static_cast<std::size_t>(heads_inside && (axis == 1 || axis == 2) ? 3 - axis : axis);
    layout.strides[a] = stride;
    stride = stride * std::max<std::int64_t>(layout.shape[a], 1) + bytes_.ConsumeIntegralInRange(0, 3);
  }
  if (bytes_.ConsumeIntegralInRange(0, 3) == 0)
    for (std::int64_t& each : layout.strides) each = -each;
  const auto repeated = bytes_.ConsumeIntegralInRange<std::size_t>(0, 7);
  if (!is_output(slot) && repeated < max_rank) layout.strides[repeated] = 0;
}

void RandomCall::draw_tensors() {
  const auto layout = [this](std::int64_t heads, std::int64_t length, std::int64_t dim) {
    return sizes_.packed ? packed(length, heads, dim) : bhsd(sizes_.batch, heads, length, dim);
  };
  add(query_slot, slots_[query_slot].view.dtype, layout(sizes_.heads, sizes_.queries, sizes_.dim));
  add(key_slot, slots_[key_slot].view.dtype, layout(sizes_.kv_heads, sizes_.keys, sizes_.dim));
  add(value_slot, slots_[value_slot].view.dtype, layout(sizes_.kv_heads, sizes_.keys, sizes_.value_dim));
  add(out_slot, slots_[out_slot].view.dtype, layout(sizes_.heads, sizes_.queries, sizes_.value_dim));
}

void RandomCall::draw_numbers() {
  if (bytes_.ConsumeBool()) options_.scale = bytes_.ConsumeFloatingPointInRange(-2.0, 2.0);
  options_.causal = bytes_.ConsumeBool();
  if (bytes_.ConsumeBool()) options_.window_left = bytes_.ConsumeIntegralInRange(-1, 60);
  if (bytes_.ConsumeBool()) options_.window_right = bytes_.ConsumeIntegralInRange(-1, 60);
  if (bytes_.ConsumeBool()) options_.softcap = bytes_.ConsumeFloatingPointInRange(0.5, 50.0);
  options_.align.kind = bytes_.PickValueInArray(
      {Align::Kind::bottom_right, Align::Kind::top_left, Align::Kind::offset, Align::Kind::offsets});
  options_.align.offset = bytes_.ConsumeIntegralInRange(-90, 90);
}

void RandomCall::draw_masks() {
  const Sizes& s = sizes_;
  const auto one_or = [this](std::int64_t size) { return bytes_.ConsumeBool() ? size : 1; };
  if (!s.packed && bytes_.ConsumeIntegralInRange(0, 2) == 0) {
    const DType dtype = bytes_.PickValueInArray({DType::boolean, DType::f32, DType::f16, DType::bf16});
    TensorLayout layout = bhsd(one_or(s.batch), one_or(s.heads), one_or(s.queries), one_or(s.keys));
    const int dropped = bytes_.ConsumeIntegralInRange(0, 3);
    const auto sizes = layout.shape;
    if (dropped == 1) layout = contiguous({sizes[1], sizes[2], sizes[3]});
    if (dropped == 2) layout = contiguous({sizes[2], sizes[3]});
    if (dropped == 3) layout = contiguous({sizes[3]});
    add(mask_slot, dtype, layout);
  }
  if (bytes_.ConsumeIntegralInRange(0, 2) == 0) {
    options_.block_queries = bytes_.ConsumeIntegralInRange(1, 50);
    options_.block_keys = bytes_.ConsumeIntegralInRange(1, 100);
    add(block_mask_slot, DType::boolean,
        bhsd(one_or(s.members()), one_or(s.heads), blocks_of(s.longest_query, options_.block_queries),
             blocks_of(s.longest_key, options_.block_keys)));
  }
}

void RandomCall::draw_per_head() {
  if (bytes_.ConsumeIntegralInRange(0, 2) == 0) {
    const bool per_member = bytes_.ConsumeBool();
    add(slopes_slot, DType::f32,
        per_member ? contiguous({sizes_.members(), sizes_.heads}) : contiguous({sizes_.heads}));
  }
  if (bytes_.ConsumeIntegralInRange(0, 2) == 0) add(sinks_slot, DType::f32, contiguous({sizes_.heads}));
}

void RandomCall::draw_index_tensors() {
  const auto dtype = [this] { return bytes_.ConsumeBool() ? DType::i64 : DType::i32; };
  if (options_.align.kind == Align::Kind::offsets) add(offsets_slot, dtype(), contiguous({sizes_.members()}));
  if (!sizes_.packed && bytes_.ConsumeIntegralInRange(0, 2) == 0)
    add(lengths_slot, dtype(), contiguous({sizes_.batch}));
  if (!sizes_.packed) return;
  add(cu_seqlens_q_slot, dtype(), contiguous({sizes_.members() + 1}));
  add(cu_seqlens_k_slot, dtype(), contiguous({sizes_.members() + 1}));
}

void RandomCall::draw_outputs() {
  const Sizes& s = sizes_;
  if (bytes_.ConsumeBool())
    add(lse_slot, DType::f32, s.packed ? contiguous({s.heads, s.queries}) : contiguous({s.batch, s.heads, s.queries}));
  if (!s.packed && bytes_.ConsumeIntegralInRange(0, 2) == 0)
    add(weights_slot, DType::f32, bhsd(s.batch, s.heads, s.queries, s.keys));
}

void RandomCall::draw_backend() {
  options_.backend = bytes_.PickValueInArray({"", "simd", "tiled", "tiled", "naive"});
  options_.isa = bytes_.PickValueInArray({"", "", "sse2", "avx2", "avx512", "avx512_bf16"});
  options_.reproducible = bytes_.ConsumeBool();
}

// ---- Spoiling it

void RandomCall::spoil() {
  const int wrongs = std::max(0, bytes_.ConsumeIntegralInRange(-3, 3));
  tame_ = wrongs == 0;
  for (int wrong = 0; wrong < wrongs; ++wrong) bytes_.ConsumeBool() ? spoil_tensor() : spoil_numbers();
}

/// Lengths and offsets keep short strides: describe() has to believe their shape before it can refuse.
void RandomCall::spoil_tensor() {
  const auto slot = bytes_.ConsumeIntegralInRange<std::size_t>(0, slot_count - 1);
  Placed& placed = slots_[slot];
  TensorLayout& layout = placed.view;
  const auto axis = bytes_.ConsumeIntegralInRange<std::size_t>(0, max_rank - 1);
  switch (bytes_.ConsumeIntegralInRange(0, 6)) {
    case 0:
      layout.rank = bytes_.ConsumeIntegralInRange(-1, 5);
      break;
    case 1:
      layout.shape[axis] = bytes_.PickValueInArray(wrong_sizes);
      break;
    case 2:
      layout.shape[axis] = wrapping_sum(layout.shape[axis], bytes_.ConsumeIntegralInRange(-1, 1));
      break;
    case 3:
      layout.strides[axis] =
          is_index(slot) ? bytes_.ConsumeIntegralInRange(-3, 3) : bytes_.PickValueInArray(wrong_sizes);
      break;
    case 4:
      layout.dtype = bytes_.PickValueInArray(every_dtype);
      break;
    case 5:
      layout.strides[axis] = wrapping_sum(layout.strides[axis], bytes_.ConsumeIntegralInRange(-2, 2));
      break;
    default:
      placed.given = !placed.given;
  }
}

void RandomCall::spoil_numbers() {
  constexpr double wrong_numbers[] = {0, -1, 1e300, std::numeric_limits<double>::quiet_NaN(),
                                      std::numeric_limits<double>::infinity()};
  switch (bytes_.ConsumeIntegralInRange(0, 6)) {
    case 0:
      options_.scale = bytes_.PickValueInArray(wrong_numbers);
      break;
    case 1:
      options_.softcap = bytes_.PickValueInArray(wrong_numbers);
      break;
    case 2:
      options_.window_left = bytes_.PickValueInArray(wrong_sizes);
      break;
    case 3:
      options_.window_right = bytes_.PickValueInArray(wrong_sizes);
      break;
    case 4:
      options_.align.offset = bytes_.PickValueInArray(wrong_sizes);
      break;
    case 5:
      options_.block_queries = bytes_.PickValueInArray(wrong_sizes);
      break;
    default:
      options_.block_keys = bytes_.PickValueInArray(wrong_sizes);
  }
}

// ---- Memory

void RandomCall::place(Placed& placed, bool index) {
  Reach reach;
  placed.backed = reach_of(placed.view, reach);
  if (!placed.backed) {
    placed.view.data = nullptr;
    // Something to point at, for checks to get past the null pointer; never read.
    if (!index) placed.memory.reset(new std::byte[64]), placed.view.data = placed.memory.get();
    return;
  }
  const auto element = static_cast<std::int64_t>(size_of(placed.view.dtype));
  const std::int64_t elements = is_empty(placed.view) ? 0 : reach.elements();
  placed.bytes = static_cast<std::size_t>(elements * element);
  placed.memory.reset(new std::byte[placed.bytes]);
  placed.view.data = placed.memory.get() - (elements == 0 ? 0 : reach.lowest * element);
}

void RandomCall::fill() {
  for (const Slot slot : {query_slot, key_slot, value_slot, mask_slot, block_mask_slot, slopes_slot, sinks_slot})
    if (slots_[slot].given && slots_[slot].backed) fill_floats(slots_[slot]);
  std::vector<std::int64_t> lengths, offsets;
  for (std::int64_t member = 0; member < sizes_.members(); ++member) {
    lengths.push_back(bytes_.ConsumeIntegralInRange<std::int64_t>(0, sizes_.keys));
    offsets.push_back(bytes_.ConsumeIntegralInRange(-90, 90));
  }
  fill_indices(lengths_slot, lengths);
  fill_indices(offsets_slot, offsets);
  fill_indices(cu_seqlens_q_slot, starts_q_);
  fill_indices(cu_seqlens_k_slot, starts_k_);
}

/// −1 … 1, or anything at all. The gaps stay as they came.
void RandomCall::fill_floats(Placed& placed) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double wild_numbers[] = {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity,
                                     std::numeric_limits<float>::max(),        1e-42,    -1e5};
  auto* const origin = placed.view.as<std::byte>();
  const auto element = static_cast<std::int64_t>(size_of(placed.view.dtype));
  const bool integers = !is_float(placed.view.dtype);
  for_each_offset(placed.view, [&](std::int64_t offset) {
    double value = uniform(noise_);
    if (wild_ && !integers && next_noise(noise_) % 16 == 0) value = wild_numbers[next_noise(noise_) % 6];
    store(placed.view.dtype, value, origin + offset * element);
  });
}

/// The values along the first axis; now and then one of them is wrong.
void RandomCall::fill_indices(Slot slot, const std::vector<std::int64_t>& values) {
  Placed& placed = slots_[slot];
  if (!placed.given || !placed.backed) return;
  const auto element = static_cast<std::int64_t>(size_of(placed.view.dtype));
  std::size_t next = 0;
  const bool spoiled = bytes_.ConsumeIntegralInRange(0, 15) == 0;
  if (spoiled) tame_ = false;
  for_each_offset(placed.view, [&](std::int64_t offset) {
    std::int64_t value = next < values.size() ? values[next] : 0;
    ++next;
    if (spoiled && bytes_.ConsumeBool()) value = bytes_.PickValueInArray(wrong_sizes);
    std::byte* const to = placed.view.as<std::byte>() + offset * element;
    if (placed.view.dtype == DType::i64) return put(to, value);
    if (placed.view.dtype == DType::i32) return put(to, static_cast<std::int32_t>(value));
    store(placed.view.dtype, static_cast<double>(value & 0xff), to);
  });
  // A stride of 0 makes all members' values one: still sound for offsets and lengths, not for boundaries.
  if (placed.view.rank > 0 && placed.view.strides[0] == 0) tame_ = false;
}

/// An output in the memory of another tensor, wherever it fits in: never sound, unless one of them is empty.
void RandomCall::alias_outputs() {
  if (bytes_.ConsumeIntegralInRange(0, 15) != 0) return;
  Placed& output = slots_[bytes_.PickValueInArray({out_slot, lse_slot, weights_slot})];
  const Placed& other = slots_[bytes_.ConsumeIntegralInRange<std::size_t>(0, slot_count - 1)];
  if (!output.given || !other.given || !output.backed || !other.backed || &output == &other) return;
  if (output.bytes > other.bytes || output.bytes == 0) return;
  tame_ = false;
  aliased_ = true;
  const std::ptrdiff_t origin = output.view.as<std::byte>() - output.memory.get();
  const std::size_t element = size_of(output.view.dtype);
  const std::size_t shift = bytes_.ConsumeBool() ? 0 : (other.bytes - output.bytes) / element * element;
  output.view.data = other.memory.get() + shift + origin;
}

void RandomCall::attach() {
  const auto optional = [this](Slot slot, auto& option) {
    if (slots_[slot].given) option = slots_[slot].view;
  };
  tensors_ = {slots_[query_slot].view, slots_[key_slot].view, slots_[value_slot].view, slots_[out_slot].view};
  optional(mask_slot, options_.attn_mask);
  optional(block_mask_slot, options_.block_mask);
  optional(slopes_slot, options_.alibi_slopes);
  optional(sinks_slot, options_.sinks);
  optional(lengths_slot, options_.key_lengths);
  optional(cu_seqlens_q_slot, options_.cu_seqlens_q);
  optional(cu_seqlens_k_slot, options_.cu_seqlens_k);
  optional(lse_slot, options_.lse);
  optional(weights_slot, options_.weights);
  optional(offsets_slot, options_.align.offsets);
}

// ---- What became of it

bool RandomCall::backed() const noexcept {
  return std::all_of(slots_.begin(), slots_.end(), [](const Placed& slot) { return !slot.given || slot.backed; });
}

bool RandomCall::indices_backed() const noexcept {
  return std::all_of(slots_.begin() + lengths_slot, slots_.end(),
                     [](const Placed& slot) { return !slot.given || slot.backed; });
}

void RandomCall::paint_outputs() {
  for (std::size_t slot = 0; slot < slot_count; ++slot)
    if (is_output(slot) && slots_[slot].backed) std::fill_n(slots_[slot].memory.get(), slots_[slot].bytes, paint);
}

bool RandomCall::outputs_untouched() const {
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    const Placed& placed = slots_[slot];
    if (!is_output(slot) || !placed.backed) continue;
    if (!std::all_of(placed.memory.get(), placed.memory.get() + placed.bytes, [](std::byte b) { return b == paint; }))
      return false;
  }
  return true;
}

bool RandomCall::gaps_untouched() const {
  if (aliased_) return true;
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    const Placed& placed = slots_[slot];
    if (!is_output(slot) || !placed.given || !placed.backed) continue;
    const auto element = size_of(placed.view.dtype);
    std::vector<bool> is_element(placed.bytes / element);
    const std::int64_t origin =
        (placed.view.as<std::byte>() - placed.memory.get()) / static_cast<std::int64_t>(element);
    for_each_offset(placed.view,
                    [&](std::int64_t offset) { is_element[static_cast<std::size_t>(origin + offset)] = true; });
    for (std::size_t byte = 0; byte < placed.bytes; ++byte)
      if (!is_element[byte / element] && placed.memory[byte] != paint) return false;
  }
  return true;
}

std::vector<double> RandomCall::results() const {
  std::vector<double> values;
  for (const Slot slot : {out_slot, lse_slot, weights_slot}) {
    const Placed& placed = slots_[slot];
    if (placed.given)
      for_each_offset(placed.view, [&](std::int64_t offset) { values.push_back(load(placed.view, offset)); });
  }
  return values;
}

}  // namespace attune::fuzz
