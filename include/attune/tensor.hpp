// Tensor views: pointer, element type, shape and strides. Attune never owns a caller's memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <attune/dtype.hpp>

namespace attune {

inline constexpr int max_rank = 4;

/// What a view of either kind tells about its elements. Strides count elements, not bytes; any stride is
/// allowed on an input (0 broadcasts, negative runs backwards). The logical order of attention tensors is
/// [batch, heads, sequence, head_dim], whatever the order in memory.
struct TensorLayout {
  DType dtype = DType::f32;
  int rank = 0;
  std::array<std::int64_t, max_rank> shape{};
  std::array<std::int64_t, max_rank> strides{};
};

/// A tensor that is written.
struct MutableTensorView : TensorLayout {
  void* data = nullptr;

  template <typename T>
  T* as() const noexcept {
    return static_cast<T*>(data);
  }
};

/// A tensor that is read.
struct TensorView : TensorLayout {
  const void* data = nullptr;

  TensorView() = default;
  TensorView(const TensorLayout& layout, const void* elements) : TensorLayout(layout), data(elements) {}
  TensorView(const MutableTensorView& view) : TensorLayout(view), data(view.data) {}

  template <typename T>
  const T* as() const noexcept {
    return static_cast<const T*>(data);
  }
};

namespace detail {

template <typename T>
inline constexpr DType dtype_of = DType{255};
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<float16> = DType::f16;
template <>
inline constexpr DType dtype_of<bfloat16> = DType::bf16;
template <>
inline constexpr DType dtype_of<bool> = DType::boolean;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::i64;

template <typename T>
concept Element = dtype_of<T> != DType{255};

/// Of sizes whose product does not fit, any number: a call refuses such a layout for its sizes.
constexpr std::int64_t stride_of(std::int64_t a, std::int64_t b) noexcept {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

}  // namespace detail

/// Row-major, the last index fastest. More than max_rank sizes give a layout of rank 0, which every call refuses.
constexpr TensorLayout contiguous(std::initializer_list<std::int64_t> shape) noexcept {
  TensorLayout layout;
  if (shape.size() > static_cast<std::size_t>(max_rank)) return layout;
  for (std::int64_t size : shape) layout.shape[static_cast<std::size_t>(layout.rank++)] = size;
  std::int64_t stride = 1;
  for (int axis = layout.rank; axis-- > 0;) {
    layout.strides[static_cast<std::size_t>(axis)] = stride;
    stride = detail::stride_of(stride, layout.shape[static_cast<std::size_t>(axis)]);
  }
  return layout;
}

/// [batch, heads, seq, dim] in memory as in name: what torch's scaled_dot_product_attention takes.
constexpr TensorLayout bhsd(std::int64_t batch, std::int64_t heads, std::int64_t seq, std::int64_t dim) noexcept {
  return contiguous({batch, heads, seq, dim});
}

/// [batch, seq, heads, dim] in memory (what a linear layer writes), seen as [batch, heads, seq, dim].
constexpr TensorLayout bshd(std::int64_t batch, std::int64_t seq, std::int64_t heads, std::int64_t dim) noexcept {
  TensorLayout layout = bhsd(batch, heads, seq, dim);
  const std::int64_t token = detail::stride_of(heads, dim);
  layout.strides = {detail::stride_of(seq, token), dim, token, 1};
  return layout;
}

/// [total_tokens, heads, dim]: sequences of different lengths one after the other (see cu_seqlens).
constexpr TensorLayout packed(std::int64_t total_tokens, std::int64_t heads, std::int64_t dim) noexcept {
  return contiguous({total_tokens, heads, dim});
}

/// A view of typed memory: `view(pointer, bhsd(1, 12, 512, 64))`. The element type gives the dtype, and
/// constness decides between a TensorView and a MutableTensorView.
template <detail::Element T>
MutableTensorView view(T* data, TensorLayout layout) noexcept {
  layout.dtype = detail::dtype_of<T>;
  MutableTensorView result;
  static_cast<TensorLayout&>(result) = layout;
  result.data = data;
  return result;
}

template <detail::Element T>
TensorView view(const T* data, TensorLayout layout) noexcept {
  layout.dtype = detail::dtype_of<T>;
  return {layout, data};
}

}  // namespace attune
