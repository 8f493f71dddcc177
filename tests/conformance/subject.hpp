// What is being tested, and what it promises.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <attune/backend.hpp>

namespace attune::conformance {

/// Promises beyond the right result. Attune's own backends make all of them; a plugin may make fewer, and then the
/// cases that test the others are skipped and listed.
enum class Trait : std::uint32_t {
  same_bits_any_threads = 1u << 0,  // whatever the number of threads and the order of work
  same_bits_any_batch = 1u << 1,    // whatever the batch around a member, its padding or packing
  same_bits_any_strides = 1u << 2,
  same_bits_again = 1u << 3,      // in every repetition, whatever the workspace held before
  masked_is_harmless = 1u << 4,   // NaN and infinity at a masked position change not one bit
  padding_is_unread = 1u << 5,    // keys, values and masks beyond the key length are not touched
  workers_write_apart = 1u << 6,  // in one loop, two workers never write the same byte of the workspace
};

class TraitSet {
 public:
  static constexpr TraitSet all() { return TraitSet((1u << 7) - 1); }
  constexpr TraitSet() = default;
  constexpr TraitSet(Trait trait) : bits_(static_cast<std::uint32_t>(trait)) {}

  constexpr bool has(Trait trait) const { return (bits_ & static_cast<std::uint32_t>(trait)) != 0; }
  constexpr TraitSet without(Trait trait) const { return TraitSet(bits_ & ~static_cast<std::uint32_t>(trait)); }

 private:
  explicit constexpr TraitSet(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_ = 0;
};

inline const char* name(Trait trait) {
  switch (trait) {
    case Trait::same_bits_any_threads:
      return "same bits for any threads";
    case Trait::same_bits_any_batch:
      return "same bits in any batch";
    case Trait::same_bits_any_strides:
      return "same bits for any strides";
    case Trait::same_bits_again:
      return "same bits in every repetition";
    case Trait::masked_is_harmless:
      return "masked NaN is harmless";
    case Trait::padding_is_unread:
      return "padding is not read";
    case Trait::workers_write_apart:
      return "workers write apart";
  }
  return "?";
}

struct Subject {
  std::shared_ptr<const Backend> backend;
  Machine machine;  // with the instruction set to test in `isa`
  TraitSet traits = TraitSet::all();
};

}  // namespace attune::conformance
