// Integers as both formats store them. Elements are copied as they lie, so this machine must store them alike.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace attune::io {

static_assert(std::endian::native == std::endian::little, "tensor files are little-endian");

inline std::uint64_t from_little_endian(std::span<const std::byte> bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

inline void to_little_endian(std::uint64_t value, std::span<std::byte> bytes) noexcept {
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(value & 0xff);
    value >>= 8;
  }
}

}  // namespace attune::io
