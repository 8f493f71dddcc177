#include "tests/conformance/placement.hpp"

#include <algorithm>
#include <utility>

#include "tests/conformance/failure.hpp"

namespace attune::conformance {
namespace {

using Strides = std::array<std::int64_t, max_rank>;

/// Where a tensor's elements lie in a buffer, counted in elements.
struct Spread {
  Strides strides{};
  std::int64_t origin = 0;  // of element [0, …, 0]
  std::int64_t elements = 0;
};

/// The axes from the outermost in memory to the innermost.
std::vector<std::size_t> memory_order(int rank, Layout layout) {
  std::vector<std::size_t> order;
  for (int axis = 0; axis < rank; ++axis) order.push_back(static_cast<std::size_t>(axis));
  if (layout == Layout::heads_inside && rank >= 3) std::swap(order[order.size() - 3], order[order.size() - 2]);
  return order;
}

Spread spread(const Array& array, Layout layout) {
  Spread s;
  const auto order = memory_order(array.rank, layout);
  std::int64_t step = layout == Layout::spread ? 3 : 1;
  for (std::size_t place = order.size(); place-- > 0;) {
    const std::size_t axis = order[place];
    const bool repeated = (layout == Layout::one_batch && axis == 0) || (layout == Layout::one_head && axis == 1);
    s.strides[axis] = repeated ? 0 : layout == Layout::reversed ? -step : step;
    if (!repeated) step *= array.shape[axis];
    if (layout == Layout::padded && place + 1 == order.size()) step += 3;
    if (layout == Layout::padded && place + 2 == order.size()) step += 5;
  }
  std::int64_t low = 0, high = 0;
  for (std::size_t axis = 0; axis < order.size(); ++axis) {
    const std::int64_t reach = s.strides[axis] * (array.shape[axis] - 1);
    (reach < 0 ? low : high) += reach;
  }
  s.origin = -low;
  s.elements = array.size() == 0 ? 0 : high - low + 1;
  return s;
}

TensorLayout layout_of(const Array& array, const Strides& strides) {
  return {array.dtype, array.rank, array.shape, strides};
}

/// One flag a byte: the elements of the array that may be touched.
std::vector<std::uint8_t> touched_bytes(const Array& array, const Spread& s) {
  const std::size_t size = size_of(array.dtype);
  std::vector<std::uint8_t> touched(static_cast<std::size_t>(s.elements) * size, 0);
  for_each_element(array.shape, array.rank, s.strides, [&](std::int64_t position, std::int64_t offset) {
    if (!array.hidden.empty() && array.hidden[static_cast<std::size_t>(position)] != 0) return;
    std::fill_n(touched.begin() + (s.origin + offset) * static_cast<std::int64_t>(size), size, std::uint8_t{1});
  });
  return touched;
}

/// Elements at or beyond `limit` do not exist in memory.
void write_elements(const Array& array, const Strides& strides, std::byte* origin, const std::byte* limit) {
  const auto size = static_cast<std::int64_t>(size_of(array.dtype));
  for_each_element(array.shape, array.rank, strides, [&](std::int64_t position, std::int64_t offset) {
    if (origin + offset * size < limit) store_element(array.dtype, array[position], origin + offset * size);
  });
}

Array read_elements(const MutableTensorView& view) {
  Array array;
  array.dtype = view.dtype;
  array.rank = view.rank;
  array.shape = view.shape;
  const auto size = static_cast<std::int64_t>(size_of(view.dtype));
  for_each_element(view.shape, view.rank, view.strides, [&](std::int64_t, std::int64_t offset) {
    array.values.push_back(load_element(view.dtype, view.as<std::byte>() + offset * size));
  });
  return array;
}

}  // namespace

const char* name(Layout layout) {
  switch (layout) {
    case Layout::contiguous:
      return "contiguous";
    case Layout::heads_inside:
      return "bshd";
    case Layout::padded:
      return "padded";
    case Layout::spread:
      return "inner_stride";
    case Layout::reversed:
      return "negative";
    case Layout::one_batch:
      return "broadcast_batch";
    case Layout::one_head:
      return "broadcast_heads";
  }
  return "?";
}

PlacedCall::PlacedCall(const Workload& workload, const Placement& placement) {
  if (placement.one_buffer) {
    place_in_one_buffer(workload);
  } else {
    tensors_.query = input(workload.query, placement.query, placement.edge, "query");
    tensors_.key = input(workload.key, placement.key, placement.edge, "key");
    tensors_.value = input(workload.value, placement.value, placement.edge, "value");
    tensors_.out = output(workload.out_array(), placement.out, "out");
  }
  set_options(workload, placement);
}

void PlacedCall::set_options(const Workload& workload, const Placement& placement) {
  const Spec& spec = workload.spec;
  options_.scale = spec.scale;
  options_.causal = spec.causal;
  options_.align.kind = spec.align;
  options_.align.offset = spec.offset;
  options_.window_left = spec.window_left;
  options_.window_right = spec.window_right;
  options_.softcap = spec.softcap;
  const auto small = [&](const Array& array, const char* name) {
    return input(array, Layout::contiguous, placement.edge, name);
  };
  if (spec.align == Align::Kind::offsets) options_.align.offsets = indices(spec.offsets, spec.index_dtype, "align");
  if (!workload.mask.empty()) options_.attn_mask = input(workload.mask, placement.others, placement.edge, "attn_mask");
  if (!workload.block_mask.empty()) {
    options_.block_mask = input(workload.block_mask, placement.others, placement.edge, "block_mask");
    options_.block_queries = spec.block_queries;
    options_.block_keys = spec.block_keys;
  }
  if (!workload.alibi.empty()) options_.alibi_slopes = small(workload.alibi, "alibi_slopes");
  if (!workload.sinks.empty()) options_.sinks = small(workload.sinks, "sinks");
  if (!spec.key_lengths.empty()) options_.key_lengths = indices(spec.key_lengths, spec.index_dtype, "key_lengths");
  if (spec.packed()) {
    options_.cu_seqlens_q = indices(spec.query_starts, spec.index_dtype, "cu_seqlens_q");
    options_.cu_seqlens_k = indices(spec.key_starts, spec.index_dtype, "cu_seqlens_k");
  }
  if (spec.lse) options_.lse = output(workload.lse_array(), placement.others, "lse");
  if (spec.weights) options_.weights = output(workload.weights_array(), placement.others, "weights");
}

TensorView PlacedCall::input(const Array& array, Layout layout, test::Edge edge, const char* name) {
  const Spread s = spread(array, layout);
  const auto size = static_cast<std::int64_t>(size_of(array.dtype));
  const auto bytes = static_cast<std::size_t>(s.elements * size);
  const std::vector<std::uint8_t> used = touched_bytes(array, s);
  // At the end, the border lies behind the last element that may be read; hidden ones may follow, out of reach.
  const std::size_t in_reach = edge == test::Edge::begin ? bytes : test::GuardedBuffer::used_end(used);
  auto buffer = edge == test::Edge::begin ? std::make_unique<test::GuardedBuffer>(bytes, edge)
                                          : std::make_unique<test::GuardedBuffer>(bytes, in_reach);
  std::byte* const origin = buffer->data() + s.origin * size;
  write_elements(array, s.strides, origin, buffer->data() + in_reach);
  buffer->seal(used);
  buffer->set_name(name);
  inputs_.push_back(std::move(buffer));
  return {layout_of(array, s.strides), origin};
}

TensorView PlacedCall::indices(const std::vector<std::int64_t>& values, DType dtype, const char* name) {
  Array array(dtype, {static_cast<std::int64_t>(values.size())});
  for (std::size_t i = 0; i < values.size(); ++i) array.values[i] = static_cast<double>(values[i]);
  return input(array, Layout::contiguous, test::Edge::end, name);
}

MutableTensorView PlacedCall::output(const Array& array, Layout layout, const char* name) {
  const Spread s = spread(array, layout);
  const auto size = static_cast<std::int64_t>(size_of(array.dtype));
  Output output;
  output.buffer = std::make_shared<test::CanaryBuffer>(static_cast<std::size_t>(s.elements * size));
  static_cast<TensorLayout&>(output.view) = layout_of(array, s.strides);
  output.view.data = output.buffer->data() + s.origin * size;
  output.buffer->set_name(name);
  output.written = touched_bytes(array, s);
  output.name = name;
  outputs_.push_back(output);
  return output.view;
}

void PlacedCall::place_in_one_buffer(const Workload& workload) {
  const Array& q = workload.query;
  Array whole(q.dtype, {q.extent(0), q.extent(2), 4, q.extent(1) * q.extent(3)});
  const auto size = static_cast<std::int64_t>(size_of(q.dtype));
  const std::int64_t row = q.extent(1) * q.extent(3);
  const Strides strides{q.extent(2) * 4 * row, q.extent(3), 4 * row, 1};
  auto buffer = std::make_shared<test::CanaryBuffer>(static_cast<std::size_t>(whole.size() * size));
  const auto slot = [&](std::int64_t index) { return buffer->data() + index * row * size; };
  const std::byte* const end = slot(0) + whole.size() * size;
  write_elements(workload.query, strides, slot(0), end);
  write_elements(workload.key, strides, slot(1), end);
  write_elements(workload.value, strides, slot(2), end);
  buffer->remember();
  buffer->set_name("the buffer of query, key, value and out");
  tensors_.query = {layout_of(workload.query, strides), slot(0)};
  tensors_.key = {layout_of(workload.key, strides), slot(1)};
  tensors_.value = {layout_of(workload.value, strides), slot(2)};
  static_cast<TensorLayout&>(tensors_.out) = layout_of(workload.out_array(), strides);
  tensors_.out.data = slot(3);
  const Spread out_slot{strides, 3 * row, whole.size()};
  outputs_.push_back({buffer, tensors_.out, touched_bytes(workload.out_array(), out_slot), "out"});
}

Result PlacedCall::result() const {
  Result result;
  result.out = read_elements(tensors_.out);
  if (options_.lse) result.lse = read_elements(*options_.lse);
  if (options_.weights) result.weights = read_elements(*options_.weights);
  return result;
}

void PlacedCall::expect_nothing_else_written() const {
  for (const Output& output : outputs_) {
    const auto damage = output.buffer->first_damage(output.written);
    if (!damage) continue;
    throw Failure(std::string("a byte outside of ") + output.name + " was written: byte " + std::to_string(*damage) +
                  " of a buffer of " + std::to_string(output.written.size()));
  }
}

}  // namespace attune::conformance
