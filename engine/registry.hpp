// The backends of one engine, with what selection needs to know of each.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <attune/backend.hpp>

namespace attune::detail {

struct RegisteredBackend {
  std::shared_ptr<const Backend> backend;
  std::vector<Isa> isas;  // asked once: Backend::instruction_sets() allocates
  bool builtin = false;

  std::string_view name() const noexcept { return backend->name(); }
};

/// Immutable once it is shared: adding a backend makes a new one, so that calls in flight keep theirs.
using Registry = std::vector<RegisteredBackend>;

/// Null where no backend has that name.
const RegisteredBackend* find(const Registry& registry, std::string_view name) noexcept;

/// A copy with one more. Throws Error(invalid_argument) for a name that is empty or taken.
Registry with_backend(const Registry& registry, std::shared_ptr<const Backend> backend, bool builtin);

/// "naive, simd, tiled"
std::string names(const Registry& registry);

}  // namespace attune::detail
