#include "engine/registry.hpp"

#include <utility>

#include "engine/complaint.hpp"

namespace attune::detail {

const RegisteredBackend* find(const Registry& registry, std::string_view name) noexcept {
  for (const RegisteredBackend& entry : registry) {
    if (entry.name() == name) return &entry;
  }
  return nullptr;
}

Registry with_backend(const Registry& registry, std::shared_ptr<const Backend> backend, bool builtin) {
  if (!backend) refuse_argument("backend", "is null");
  const std::string name(backend->name());
  if (name.empty()) refuse_argument("backend", "its name is empty");
  if (find(registry, name) != nullptr) {
    refuse_argument("backend", "the name \"" + name + "\" is taken; there are " + names(registry));
  }
  Registry result = registry;
  std::vector<Isa> isas = backend->instruction_sets();
  result.push_back({std::move(backend), std::move(isas), builtin});
  return result;
}

std::string names(const Registry& registry) {
  std::string text;
  for (const RegisteredBackend& entry : registry) {
    if (!text.empty()) text += ", ";
    text += entry.name();
  }
  return text;
}

}  // namespace attune::detail
