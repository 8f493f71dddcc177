#include "tools/attune/io/npy.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "tools/attune/io/elements.hpp"
#include "tools/attune/io/little_endian.hpp"
#include "tools/attune/io/npy_header.hpp"

namespace attune::io {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view magic = "\x93NUMPY"sv;
constexpr std::size_t version_end = magic.size() + 2;
constexpr std::size_t alignment = 64;  // of the elements, as NumPy writes them

[[noreturn]] void refuse(const std::string& fault) { throw Error(ErrorCode::io, fault); }

struct Preamble {
  std::uint64_t header_begin = 0;
  std::uint64_t header_bytes = 0;
  std::uint64_t data_begin() const noexcept { return header_begin + header_bytes; }
};

Preamble read_preamble(const ByteSource& source) {
  if (source.size() == 0) refuse("is empty");
  std::array<std::byte, version_end + 4> head{};
  const std::span start(head);
  source.read(0, start.first(version_end));
  if (!std::equal(magic.begin(), magic.end(), head.begin(),
                  [](char letter, std::byte byte) { return static_cast<std::byte>(letter) == byte; })) {
    refuse("is not a .npy file: it does not start with \\x93NUMPY");
  }
  const auto version = std::to_integer<int>(head[magic.size()]);
  const auto revision = std::to_integer<int>(head[magic.size() + 1]);
  if (version < 1 || version > 3 || revision != 0) {
    refuse("has .npy version " + std::to_string(version) + "." + std::to_string(revision) + ", 1.0 to 3.0 are known");
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  source.read(version_end, start.subspan(version_end, length_bytes));
  const Preamble preamble{version_end + length_bytes, from_little_endian(start.subspan(version_end, length_bytes))};
  if (preamble.data_begin() > source.size()) {
    refuse("ends within its header, which is said to have " + std::to_string(preamble.header_bytes) + " bytes");
  }
  return preamble;
}

void check_data_size(const NpyHeader& header, std::uint64_t present) {
  const std::uint64_t needed = byte_count(header.dtype, header.shape);
  if (needed == present) return;
  refuse(std::string(needed > present ? "ends too early: " : "has bytes after its elements: ") + name(header.dtype) +
         " of shape " + text(header.shape) + " takes " + std::to_string(needed) + " bytes, there are " +
         std::to_string(present));
}

}  // namespace

Tensor read_npy(const ByteSource& source) {
  const Preamble preamble = read_preamble(source);
  std::string header_text(static_cast<std::size_t>(preamble.header_bytes), '\0');
  source.read(preamble.header_begin, std::as_writable_bytes(std::span(header_text)));
  const NpyHeader header = parse_npy_header(header_text);
  check_data_size(header, source.size() - preamble.data_begin());
  return read_elements(source, preamble.data_begin(), header.dtype, header.shape);
}

std::vector<std::byte> npy_header(DType dtype, const Shape& shape) {
  std::string sizes;
  for (const std::int64_t size : shape) sizes += std::to_string(size) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  std::string header = "{'descr': '" + npy_descr(dtype) + "', 'fortran_order': False, 'shape': (" + sizes + "), }";
  constexpr std::size_t header_begin = version_end + 2;
  const std::size_t unpadded = header_begin + header.size() + 1;
  header.append((alignment - unpadded % alignment) % alignment, ' ');
  header += '\n';

  std::vector<std::byte> bytes(header_begin + header.size());
  std::transform(magic.begin(), magic.end(), bytes.begin(), [](char letter) { return static_cast<std::byte>(letter); });
  bytes[magic.size()] = std::byte{1};  // version 1.0
  to_little_endian(header.size(), std::span(bytes).subspan(version_end, 2));
  std::transform(header.begin(), header.end(), bytes.begin() + header_begin,
                 [](char letter) { return static_cast<std::byte>(letter); });
  return bytes;
}

}  // namespace attune::io
