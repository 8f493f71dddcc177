// What keys a problem's plan.
#include <attune/problem.hpp>

namespace attune {

std::size_t hash_value(const Problem& p) noexcept {
  std::uint64_t hash = 0x9e3779b97f4a7c15ull;
  const auto mix = [&hash](auto value) {  // the finaliser of splitmix64
    hash += 0x9e3779b97f4a7c15ull + static_cast<std::uint64_t>(value);
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
    hash ^= hash >> 31;
  };
  mix(p.heads), mix(p.kv_heads), mix(p.head_dim), mix(p.value_dim);
  mix(p.query_dtype), mix(p.key_dtype), mix(p.value_dtype), mix(p.out_dtype);
  mix(p.mask), mix(p.align), mix(p.window_left), mix(p.window_right);
  mix(p.features());  // every option that is only on or off
  return static_cast<std::size_t>(hash);
}

}  // namespace attune
