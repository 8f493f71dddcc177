#include "engine/machines.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "engine/complaint.hpp"

namespace attune::detail {
namespace {

constexpr std::array all_isas{Isa::generic, Isa::sse2, Isa::avx2, Isa::avx512, Isa::avx512_bf16, Isa::neon};

std::string names(std::span<const Isa> isas) {
  std::string text;
  for (const Isa isa : isas) {
    if (!text.empty()) text += ", ";
    text += name(isa);
  }
  return text;
}

}  // namespace

std::optional<Isa> parse_isa(std::string_view text) noexcept {
  for (const Isa isa : all_isas) {
    if (text == name(isa)) return isa;
  }
  return std::nullopt;
}

Machines::Machines(const Machine& machine) : best_(machine) {
  for (const Isa isa : machine.isas) {
    variants_.push_back(machine);
    variants_.back().isa = isa;
  }
}

const Machine& Machines::with(Isa isa) const noexcept {
  const auto found = std::find_if(variants_.begin(), variants_.end(), [isa](const Machine& m) { return m.isa == isa; });
  return found != variants_.end() ? *found : best_;
}

std::optional<Isa> Machines::forced(std::string_view text) const {
  if (text.empty()) return std::nullopt;
  const std::optional<Isa> isa = parse_isa(text);
  if (!isa) refuse_argument("isa", "\"" + std::string(text) + "\" is unknown; there are " + names(all_isas));
  if (std::find(best_.isas.begin(), best_.isas.end(), *isa) == best_.isas.end()) {
    throw Error(ErrorCode::unsupported, "isa: \"" + std::string(text) +
                                            "\" is not available on this machine; available are " + names(best_.isas));
  }
  return isa;
}

}  // namespace attune::detail
