// A tensor that owns its elements: what is read from a file and what is about to be written to one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <attune/error.hpp>
#include <attune/tensor.hpp>

namespace attune::io {

/// Starts memory at a cache line, so that a timing does not depend on where an allocation happened to fall.
template <typename T>
struct CacheLineAllocator {
  using value_type = T;
  static constexpr std::align_val_t alignment{64};

  CacheLineAllocator() = default;
  template <typename U>
  constexpr CacheLineAllocator(const CacheLineAllocator<U>&) noexcept {}

  T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), alignment)); }
  void deallocate(T* memory, std::size_t) noexcept { ::operator delete(memory, alignment); }

  bool operator==(const CacheLineAllocator&) const = default;
};

using Bytes = std::vector<std::byte, CacheLineAllocator<std::byte>>;
using Shape = std::vector<std::int64_t>;

/// Row-major. A file may hold any rank; only view() asks for at most max_rank.
struct Tensor {
  DType dtype = DType::f32;
  Shape shape;
  Bytes bytes;

  /// Throws Error(invalid_argument) for a rank above max_rank.
  TensorView view() const;
  MutableTensorView mutable_view();
};

/// All zeros. Throws Error(invalid_argument) for sizes that are negative or whose product overflows, and
/// Error(out_of_memory).
Tensor make_tensor(DType dtype, const Shape& shape);

/// Bytes of the elements. Throws Error(invalid_argument) for sizes that are negative or whose product
/// overflows, that of the sizes other than 0 included.
std::uint64_t byte_count(DType dtype, const Shape& shape);
std::int64_t element_count(const Shape& shape);

/// "[1, 12, 512, 64]"
std::string text(const Shape& shape);

/// Text of a file or a command line in quotes, fit for one line of an error message: control characters
/// escaped, long text cut.
std::string in_quotes(std::string_view text);

}  // namespace attune::io
