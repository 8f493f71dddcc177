// Which calls share an entry of wisdom.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <attune/machine.hpp>
#include <attune/problem.hpp>

namespace attune::detail {

/// The sizes of a call, each rounded up to the limit of its bucket: powers of two, and 0.
struct Buckets {
  std::int64_t batch = 0;
  std::int64_t queries = 0;
  std::int64_t keys = 0;  // of a decode (one query) powers of four: it grows through few entries
  std::int64_t total_queries = 0, total_keys = 0;  // of packed members; otherwise 0: they follow from the others

  bool operator==(const Buckets&) const = default;
};

Buckets buckets_of(const Problem& problem, const Extents& extents) noexcept;

/// What may be forced is part of the key: among all backends another one may be the fastest than among those that a
/// caller left. `Name` is std::string in the table and std::string_view in a question, which allocates nothing.
template <typename Name>
struct BasicWisdomKey {
  Problem problem;
  Buckets buckets;
  int threads = 1;  // of the executor
  Name backend{};   // forced; empty: not forced
  std::optional<Isa> isa{};

  template <typename Other>
  bool operator==(const BasicWisdomKey<Other>& other) const noexcept {
    return problem == other.problem && buckets == other.buckets && threads == other.threads &&
           std::string_view(backend) == std::string_view(other.backend) && isa == other.isa;
  }
};

using WisdomKey = BasicWisdomKey<std::string>;
using WisdomQuestion = BasicWisdomKey<std::string_view>;

std::size_t hash_value(const WisdomQuestion& key) noexcept;

struct WisdomKeyHash {
  using is_transparent = void;
  std::size_t operator()(const WisdomQuestion& key) const noexcept { return hash_value(key); }
  std::size_t operator()(const WisdomKey& key) const noexcept {
    return hash_value(WisdomQuestion{key.problem, key.buckets, key.threads, key.backend, key.isa});
  }
};

struct WisdomKeyEqual {
  using is_transparent = void;
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const noexcept {
    return a == b;
  }
};

}  // namespace attune::detail
