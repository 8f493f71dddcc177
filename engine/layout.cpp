#include "engine/layout.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

namespace attune::detail {
namespace {

constexpr std::int64_t widest_element = 16;  // bytes; leaves room for a pair of doubles for each element
// No machine addresses more; sums of a few such distances still fit into 64 bits.
constexpr std::int64_t farthest = std::numeric_limits<std::int64_t>::max() / 8;

std::size_t rank_of(const TensorLayout& layout) noexcept { return static_cast<std::size_t>(layout.rank); }

/// One axis of the difference i − j of an index i of one tensor and an index j of another with the same
/// stride: −before ≤ i − j ≤ after. Its stride is made positive.
struct DifferenceAxis {
  std::int64_t stride = 0;
  std::int64_t before = 0;
  std::int64_t after = 0;
  std::int64_t steps() const noexcept { return std::max(before, after); }
};

struct Differences {
  std::array<DifferenceAxis, max_rank> axes{};  // those with more than one element, largest stride first
  std::size_t count = 0;

  void add(const DifferenceAxis& axis) noexcept {
    std::size_t at = count++;
    for (; at > 0 && axes[at - 1].stride < axis.stride; --at) axes[at] = axes[at - 1];
    axes[at] = axis;
  }
  std::span<const DifferenceAxis> all() const noexcept { return std::span(axes).first(count); }
};

/// Nothing where the strides differ on an axis that both tensors step along.
std::optional<Differences> differences(const TensorLayout& a, const TensorLayout& b) noexcept {
  Differences result;
  for (std::size_t axis = 0; axis < rank_of(a); ++axis) {
    const std::int64_t last_a = a.shape[axis] - 1;
    const std::int64_t last_b = b.shape[axis] - 1;
    if (last_a == 0 && last_b == 0) continue;
    if (last_a > 0 && last_b > 0 && a.strides[axis] != b.strides[axis]) return std::nullopt;
    const std::int64_t stride = last_a > 0 ? a.strides[axis] : b.strides[axis];
    result.add(stride < 0 ? DifferenceAxis{-stride, last_a, last_b} : DifferenceAxis{stride, last_b, last_a});
  }
  return result;
}

/// What indices along these axes can span, in elements from the first.
std::int64_t reach(std::span<const DifferenceAxis> axes) noexcept {
  std::int64_t sum = 0;
  for (const DifferenceAxis& axis : axes) sum += axis.stride * axis.steps();
  return sum;
}

bool nested(std::span<const DifferenceAxis> axes) noexcept {
  for (; !axes.empty(); axes = axes.subspan(1)) {
    if (axes.front().stride <= reach(axes.subspan(1))) return false;
  }
  return true;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) noexcept { return a / b - (a % b < 0 ? 1 : 0); }

/// Is there a difference of indices that lands exactly on the target? With nested strides at most two steps
/// of each axis leave a rest that the inner axes can reach, so this ends after at most 2⁴ questions.
bool lands_on(std::int64_t target, std::span<const DifferenceAxis> axes) noexcept {
  if (axes.empty()) return target == 0;
  const DifferenceAxis& outer = axes.front();
  const std::int64_t inner_reach = reach(axes.subspan(1));
  const std::int64_t first = std::max(-outer.before, -floor_div(inner_reach - target, outer.stride));
  const std::int64_t last = std::min(outer.after, floor_div(target + inner_reach, outer.stride));
  for (std::int64_t step = first; step <= last; ++step) {
    if (lands_on(target - step * outer.stride, axes.subspan(1))) return true;
  }
  return false;
}

/// Nothing where no exact answer can be had: the layouts are not slots of one buffer.
std::optional<bool> slots_overlap(const TensorView& a, const TensorView& b) noexcept {
  if (size_of(a.dtype) != size_of(b.dtype) || a.rank != b.rank) return std::nullopt;
  const std::optional<Differences> axes = differences(a, b);
  if (!axes || !nested(axes->all())) return std::nullopt;
  const auto distance =
      static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(b.data) - reinterpret_cast<std::uintptr_t>(a.data));
  const auto element = static_cast<std::int64_t>(size_of(a.dtype));
  if (distance % element != 0) return std::nullopt;
  return lands_on(distance / element, axes->all());
}

}  // namespace

bool has_elements(const TensorLayout& layout) noexcept {
  for (std::size_t axis = 0; axis < rank_of(layout); ++axis) {
    if (layout.shape[axis] == 0) return false;
  }
  return true;
}

bool count_fits(const TensorLayout& layout) noexcept {
  std::int64_t bytes = widest_element;
  for (std::size_t axis = 0; axis < rank_of(layout); ++axis) {
    const std::int64_t size = std::max<std::int64_t>(layout.shape[axis], 1);
    if (__builtin_mul_overflow(bytes, size, &bytes)) return false;
  }
  return true;
}

std::optional<ByteRange> byte_range(const TensorView& tensor) noexcept {
  if (!has_elements(tensor)) return ByteRange{};
  const auto element = static_cast<std::int64_t>(size_of(tensor.dtype));
  std::int64_t lowest = 0;
  std::int64_t behind_highest = element;
  for (std::size_t axis = 0; axis < rank_of(tensor); ++axis) {
    std::int64_t span = 0;
    if (__builtin_mul_overflow(tensor.strides[axis], tensor.shape[axis] - 1, &span)) return std::nullopt;
    if (__builtin_mul_overflow(span, element, &span)) return std::nullopt;
    std::int64_t& end = span < 0 ? lowest : behind_highest;
    if (__builtin_add_overflow(end, span, &end)) return std::nullopt;
  }
  if (lowest < -farthest || behind_highest > farthest) return std::nullopt;
  const auto address = reinterpret_cast<std::uintptr_t>(tensor.data);
  ByteRange range;
  if (__builtin_add_overflow(address, lowest, &range.begin)) return std::nullopt;
  if (__builtin_add_overflow(address, behind_highest, &range.end)) return std::nullopt;
  return range;
}

bool overlaps_itself(const TensorLayout& layout) noexcept {
  if (!has_elements(layout)) return false;
  return !nested(differences(layout, layout)->all());
}

bool overlap(const TensorView& a, const TensorView& b) noexcept {
  if (!has_elements(a) || !has_elements(b)) return false;
  const ByteRange range_a = *byte_range(a);
  const ByteRange range_b = *byte_range(b);
  if (range_a.end <= range_b.begin || range_b.end <= range_a.begin) return false;
  return slots_overlap(a, b).value_or(true);
}

TensorLayout with_leading_axes(const TensorLayout& layout) noexcept {
  TensorLayout result = layout;
  const std::size_t missing = max_rank - rank_of(layout);
  result.rank = max_rank;
  for (std::size_t axis = 0; axis < max_rank; ++axis) {
    result.shape[axis] = axis < missing ? 1 : layout.shape[axis - missing];
    result.strides[axis] = axis < missing ? 0 : layout.strides[axis - missing];
  }
  return result;
}

}  // namespace attune::detail
