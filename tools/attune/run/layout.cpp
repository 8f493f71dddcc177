#include "tools/attune/run/layout.hpp"

namespace attune::tool {

namespace {

[[noreturn]] void refuse_rank(const io::Shape& shape, const char* wanted) {
  throw Error(ErrorCode::invalid_argument,
              "shape " + io::text(shape) + " has rank " + std::to_string(shape.size()) + ", must be " + wanted);
}

}  // namespace

TensorLayout attention_layout(const io::Shape& shape, Layout layout) {
  if (layout == Layout::packed) {
    if (shape.size() != 3) refuse_rank(shape, "3, [total_tokens, heads, dim], with --cu-seqlens-q and --cu-seqlens-k");
    return packed(shape[0], shape[1], shape[2]);
  }
  switch (shape.size()) {
    case 2:
      return bhsd(1, 1, shape[0], shape[1]);
    case 3:
      return attention_layout({1, shape[0], shape[1], shape[2]}, layout);
    case 4:
      return layout == Layout::bhsd ? bhsd(shape[0], shape[1], shape[2], shape[3])
                                    : bshd(shape[0], shape[1], shape[2], shape[3]);
    default:
      refuse_rank(shape, "2, 3 or 4");
  }
}

io::Shape file_shape(const io::Shape& axes, Layout layout, std::size_t rank) {
  if (rank == 2) return {axes[2], axes[3]};
  io::Shape shape = layout == Layout::bhsd ? axes : io::Shape{axes[0], axes[2], axes[1], axes[3]};
  if (rank == 3) shape.erase(shape.begin());
  return shape;
}

}  // namespace attune::tool
