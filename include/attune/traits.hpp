// What a backend promises beyond the right result. The conformance suite tests what is promised and lists what is not.
#pragma once

#include <cstdint>

namespace attune {

/// A bit for each promise. A new one is a new bit at the end.
enum class Trait : std::uint64_t {
  same_bits_any_threads = 1u << 0,  // whatever the number of threads and the order of work
  same_bits_any_batch = 1u << 1,    // whatever the batch around a member, its padding or packing
  same_bits_any_strides = 1u << 2,
  same_bits_again = 1u << 3,      // in every repetition, whatever the workspace held before
  masked_is_harmless = 1u << 4,   // NaN and infinity at a masked position change not one bit
  padding_is_unread = 1u << 5,    // keys, values and masks beyond the key length are not touched
  workers_write_apart = 1u << 6,  // in one loop, two workers never write the same byte of the workspace
};

/// A set of promises: `Trait::same_bits_again | Trait::masked_is_harmless`.
class TraitSet {
 public:
  static constexpr TraitSet all() noexcept { return from_bits(~std::uint64_t{0}); }
  /// Bits that stand for no trait are left out.
  static constexpr TraitSet from_bits(std::uint64_t bits) noexcept { return TraitSet(bits & ((1u << 7) - 1)); }

  constexpr TraitSet() noexcept = default;
  constexpr TraitSet(Trait trait) noexcept : bits_(static_cast<std::uint64_t>(trait)) {}

  constexpr std::uint64_t bits() const noexcept { return bits_; }
  constexpr bool has(Trait trait) const noexcept { return (bits_ & static_cast<std::uint64_t>(trait)) != 0; }
  constexpr TraitSet without(Trait trait) const noexcept {
    return TraitSet(bits_ & ~static_cast<std::uint64_t>(trait));
  }
  friend constexpr TraitSet operator|(TraitSet a, TraitSet b) noexcept { return TraitSet(a.bits_ | b.bits_); }
  bool operator==(const TraitSet&) const = default;

 private:
  explicit constexpr TraitSet(std::uint64_t bits) noexcept : bits_(bits) {}
  std::uint64_t bits_ = 0;
};

constexpr TraitSet operator|(Trait a, Trait b) noexcept { return TraitSet(a) | TraitSet(b); }

/// In words, for example "same bits for any threads".
constexpr const char* name(Trait trait) noexcept {
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
  return "unknown";
}

}  // namespace attune
